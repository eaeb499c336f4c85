"""``dataclass`` as of the standard library, in a thirtieth of the time that it takes at import.

The standard library writes the methods of each class as text and compiles them, which made half of
what loading this package cost. Here ``__init__`` is compiled when the first object of a class is
made, and the other methods are not compiled at all. Type checkers see the standard decorator, and
``fields``, ``replace``, ``asdict`` and ``is_dataclass`` of the standard library work.
"""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses
    from dataclasses import KW_ONLY, MISSING, Field, FrozenInstanceError

    def dataclass(cls=None, /, **options):
        """Decorates a class; options are those of ``dataclasses.dataclass`` named below."""
        if cls is None:
            return lambda decorated: _make(decorated, **options)
        return _make(cls, **options)

    def _make(cls, *, eq=True, order=False, frozen=False, slots=False, kw_only=False):
        own = _own_fields(cls, kw_only=kw_only)
        inherited = {}
        for base in reversed(cls.__mro__[1:]):
            inherited.update(base.__dict__.get("__dataclass_fields__", ()))
        fields = {**inherited, **own}
        if slots:
            cls = _with_slots(cls, own)
        for name, one in own.items():
            if not slots:
                _set_default(cls, name, one)
        cls.__dataclass_fields__ = fields
        cls.__dataclass_params__ = _Frozen if frozen else _Changeable
        _add_methods(cls, fields, eq=eq, order=order, frozen=frozen)
        if frozen and slots:
            _add_state(cls, list(fields))
        return cls

    def _annotations(cls):
        found = vars(cls).get("__annotations__")
        if found is None and sys.version_info >= (3, 14):
            import annotationlib

            return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
        return found or {}

    def _own_fields(cls, *, kw_only):
        fields = {}
        for name, kind in _annotations(cls).items():
            text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
            if kind is KW_ONLY or text in {"KW_ONLY", "dataclasses.KW_ONLY"}:
                kw_only = True
            elif not text.startswith(("ClassVar", "typing.ClassVar")):
                fields[name] = _field(cls, name, kind, kw_only=kw_only)
        return fields

    def _field(cls, name, kind, *, kw_only):
        default = cls.__dict__.get(name, MISSING)
        one = default if isinstance(default, Field) else dataclasses.field(default=default)
        one.name, one.type = name, kind
        one._field_type = dataclasses._FIELD  # noqa: SLF001 (what its functions look for)
        if one.kw_only is MISSING:
            one.kw_only = kw_only
        return one

    def _set_default(cls, name, one):
        if one.default is not MISSING:
            setattr(cls, name, one.default)
        elif name in cls.__dict__:
            delattr(cls, name)

    def _with_slots(cls, own):
        body = {
            name: value
            for name, value in cls.__dict__.items()
            if name not in own and name not in ("__dict__", "__weakref__")
        }
        taken = {name for base in cls.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
        body["__slots__"] = tuple(name for name in own if name not in taken)
        made = type(cls)(cls.__name__, cls.__bases__, body)
        made.__qualname__ = cls.__qualname__
        return made

    def _add_methods(cls, fields, *, eq, order, frozen):
        given = cls.__dict__
        positional = tuple(one.name for one in fields.values() if one.init and not one.kw_only)
        methods = {"__init__": _lazy_init(cls, fields, frozen=frozen), "__match_args__": positional}
        methods["__repr__"] = _repr([one.name for one in fields.values() if one.repr])
        values = _values_of([one.name for one in fields.values() if one.compare])
        has_own_hash = "__hash__" in given and (
            given["__hash__"] is not None or "__eq__" not in given
        )
        if eq:
            methods["__eq__"] = _comparison(operator.eq, values)
        if order:
            for name in ("lt", "le", "gt", "ge"):
                methods[f"__{name}__"] = _comparison(getattr(operator, name), values)
        if frozen:
            methods.update(_refusals(cls, frozenset(fields)))
        for name, method in methods.items():
            if name not in given:
                setattr(cls, name, method)
        if eq and not has_own_hash:
            cls.__hash__ = _hash(values) if frozen else None

    def _values_of(names):
        if len(names) > 1:
            return operator.attrgetter(*names)
        if names:
            get = operator.attrgetter(names[0])
            return lambda value: (get(value),)
        return lambda _: ()

    def _repr(names):
        def __repr__(self):  # noqa: N807
            shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{self.__class__.__qualname__}({shown})"

        return __repr__

    def _comparison(compare, values):
        def method(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return compare(values(self), values(other))

        return method

    def _hash(values):
        def __hash__(self):  # noqa: N807
            return hash(values(self))

        return __hash__

    def _refusals(cls, names):
        def __setattr__(self, name, value):  # noqa: N807
            if type(self) is cls or name in names:
                raise FrozenInstanceError(f"cannot assign to field {name!r}")
            super(cls, self).__setattr__(name, value)

        def __delattr__(self, name):  # noqa: N807
            if type(self) is cls or name in names:
                raise FrozenInstanceError(f"cannot delete field {name!r}")
            super(cls, self).__delattr__(name)

        return {"__setattr__": __setattr__, "__delattr__": __delattr__}

    def _add_state(cls, names):
        def __getstate__(self):  # noqa: N807
            return [getattr(self, name) for name in names]

        def __setstate__(self, state):  # noqa: N807
            for name, value in zip(names, state, strict=True):
                object.__setattr__(self, name, value)

        for method in (__getstate__, __setstate__):
            if method.__name__ not in cls.__dict__:
                setattr(cls, method.__name__, method)

    def _lazy_init(cls, fields, *, frozen):
        def __init__(self, *args, **kwargs):  # noqa: N807
            __tracebackhide__ = True
            made = _compile_init(cls, fields.values(), frozen=frozen)
            cls.__init__ = made
            made(self, *args, **kwargs)

        return __init__

    def _compile_init(cls, fields, *, frozen):
        """The real ``__init__``: what the standard library would have compiled."""
        known = {"_missing": MISSING, "_set": object.__setattr__}
        body = [_assignment(cls, one, known, frozen=frozen) for one in fields]
        if hasattr(cls, "__post_init__"):
            body.append("self.__post_init__()")
        plain = [_parameter(one, known) for one in fields if one.init and not one.kw_only]
        named = [_parameter(one, known) for one in fields if one.init and one.kw_only]
        parameters = ", ".join(["self", *plain, *(["*", *named] if named else [])])
        text = f"def __init__({parameters}):\n  " + "\n  ".join(body or ["pass"])
        made = {}
        exec(text, known, made)  # noqa: S102 (names of fields only)
        init = made["__init__"]
        init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
        return init

    def _parameter(one, known):
        if one.default is not MISSING:
            known[f"_default_{one.name}"] = one.default
            return f"{one.name}=_default_{one.name}"
        return f"{one.name}=_missing" if one.default_factory is not MISSING else one.name

    def _assignment(cls, one, known, *, frozen):
        name = value = one.name
        if one.default_factory is not MISSING:
            known[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}()"
            value = f"{value} if {name} is _missing else {name}" if one.init else value
        elif not one.init:
            known[f"_default_{name}"] = one.default
            value = f"_default_{name}"
        if not frozen:
            return f"self.{name} = {value}"
        slot = getattr(cls, name, None)
        if type(slot) is not type(_Slotted.slot):
            return f"_set(self, {name!r}, {value})"
        known[f"_set_{name}"] = slot.__set__
        return f"_set_{name}(self, {value})"

    class _Slotted:
        __slots__ = ("slot",)

    class _Frozen:
        """What the standard library asks a base for."""

        frozen = True

    class _Changeable:
        frozen = False


__all__ = ["dataclass"]
