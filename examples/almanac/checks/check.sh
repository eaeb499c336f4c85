#!/bin/sh
# Says what is wrong with a generated site: check.sh SITE YEAR
set -eu
site=$1 year=$2

fail() {
    echo "check failed: $*" >&2
    exit 1
}

ls "$site"/days/*.csv > /dev/null 2>&1 || fail "there are no tables in $site/days"
days=$(date -u -d "$year-12-31 12:00" +%j)
for table in "$site"/days/*.csv; do
    lines=$(($(wc -l < "$table") - 1))
    [ "$lines" -eq "$days" ] || fail "$table has $lines days, not $days"
    awk -F , 'NR > 1 && ($4 < 0 || $4 > 1440) { exit 1 }' "$table" || fail "$table: daylight out of range"
    [ -e "$site/$(basename "$table" .csv).html" ] || fail "$table has no page"
done
cd "$site"
sha256sum -c SHA256SUMS > /dev/null || fail "checksums differ"
echo "checked $(ls days | wc -l) tables of $days days"
