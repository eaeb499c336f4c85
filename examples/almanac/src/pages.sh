#!/bin/sh
# Writes a page for every table of SITE/days, and an index: pages.sh SITE STYLESHEET YEAR
set -eu
site=$1 style=$2 year=$3

head_of() {
    cat <<HTML
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>$1</title>
<link rel="stylesheet" href="/$style">
<h1>$1</h1>
HTML
}

head_of "Sunrise and sunset in $year" > "$site/index.html"
for table in "$site"/days/*.csv; do
    [ -e "$table" ] || continue
    slug=$(basename "$table" .csv)
    {
        head_of "$slug in $year"
        echo "<table>"
        awk -F , '{
            cell = NR == 1 ? "th" : "td"
            printf "<tr>"
            for (i = 1; i <= NF; i++) printf "<%s>%s</%s>", cell, $i, cell
            print "</tr>"
        }' "$table"
        echo "</table>"
    } > "$site/$slug.html"
    echo "<p><a href=\"/$slug.html\">$slug</a></p>" >> "$site/index.html"
done
