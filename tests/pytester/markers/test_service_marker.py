"""Mistakes in what tests say of services are errors of the collection."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("marks", "message", "hint"),
    [
        (
            "@pytest.mark.zlayer_service(name=5)",
            "name of a service cannot be 5",
            "lower-case letters, digits and . _ - are allowed, at most 42",
        ),
        ("@pytest.mark.zlayer_service([])", "there is no command to run", 'such as ["ls", "/"]'),
        (
            "@pytest.mark.zlayer_service(ready=ready.port)",
            "ready must be a condition, and ready.port only makes one",
            "call it: ready.port()",
        ),
        (
            "@pytest.mark.zlayer_service(ready=ready.command)",
            "ready must be a condition, and ready.command only makes one",
            "call it: ready.command(…)",
        ),
        (
            "@pytest.mark.zlayer_service(ready=lambda: True)",
            "ready must be a function of one argument, the service",
            "such as ready.port(), ready.log(…), or a function of the service",
        ),
        (
            "@pytest.mark.zlayer_service('a')\n@pytest.mark.zlayer_service('b')",
            "two zlayer_service marks are for the same image: default",
            "give each image a name, and each mark the name of its image",
        ),
        (
            "@pytest.mark.zlayer_service(network='none', port=80)",
            'port 80/tcp cannot be reached with network="none"',
            "leave one of the two out",
        ),
    ],
)
def test_a_mistake_is_one_message(project, marks, message, hint):
    project.pytester.makepyfile(
        "import pytest\nfrom pytest_zlayer import ready\n"
        f"@pytest.mark.image(text='FROM scratch')\n{marks}\ndef test_it(zlayer_service): ..."
    )
    result = project.run()
    text = f"test_a_mistake_is_one_message.py:3: test_it\n  {message}\n  hint: {hint}\n"
    assert text in result.stdout.str()


def test_services_of_which_there_are_none(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_services): ...
    """)
    result = project.run()
    result.stdout.fnmatch_lines(["  the test has no zlayer_service mark, so zlayer_services has*"])


def test_of_marks_on_a_class_and_a_function_the_closest_counts(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.zlayer_service("far")
        class TestIt:
            @pytest.mark.image(text="FROM scratch")
            @pytest.mark.zlayer_service("close")
            def test_it(self, zlayer_service): ...
    """)
    assert project.run("--collect-only").ret == pytest.ExitCode.OK


def test_arguments_of_service_fixture_are_looked_at_too(project):
    project.pytester.makepyfile("""
        from pytest_zlayer import service_fixture

        one = service_fixture(text="FROM scratch", prot=80)
        other = service_fixture(text="FROM scratch", ready=80)

        def test_one(one): ...
        def test_other(other): ...
    """)
    project.run().stdout.fnmatch_lines(
        [
            "  unknown argument 'prot' of service_fixture",
            "  hint: did you mean 'port'?",
            "  ready must be a condition, not 80",
        ]
    )


def test_a_condition_that_cannot_be_is_reported_where_it_is_written(project):
    project.pytester.makepyfile("""
        import pytest
        from pytest_zlayer import ready

        @pytest.mark.zlayer_service(ready=ready.http(status="200"))
        def test_it(zlayer_service): ...
    """)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "*.py:4: in <module>",
            "E   pytest_zlayer.UsageError: ready.http: a status must be a number from *",
        ]
    )
    result.stdout.no_fnmatch_line("*services/ready.py*")
