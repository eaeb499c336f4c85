# Writes one table a place: date, sunrise, sunset (UTC) and minutes of daylight.
#
# Variables: year; wanted, words that select places by slug (empty: all); out, a directory.
# The sun's position is the low-accuracy series of the NOAA solar calculator; the sun rises
# when its centre is 0.833 degrees below the horizon.

# Not every awk is built with its mathematical functions, so the three that are needed are here.
function sine(x,    term, sum, k) {
    while (x > pi) x -= 2 * pi
    while (x < -pi) x += 2 * pi
    term = sum = x
    for (k = 2; k < 24; k += 2) {
        term *= -x * x / (k * (k + 1))
        sum += term
    }
    return sum
}

function cosine(x) { return sine(x + pi / 2) }

# Bisection: 18 halvings of a half turn come within a hundredth of a minute of time.
function arc_cosine(value,    low, high, middle, i) {
    high = pi
    for (i = 0; i < 18; i++) {
        middle = (low + high) / 2
        if (cosine(middle) > value) low = middle
        else high = middle
    }
    return (low + high) / 2
}

function leap(y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 }

function slug_of(name) { name = tolower(name); gsub(/[^a-z0-9]+/, "-", name); return name }

function clock(minutes) {
    minutes = int(minutes + 0.5)
    minutes = (minutes % 1440 + 1440) % 1440
    return sprintf("%02d:%02d", int(minutes / 60), minutes % 60)
}

# Minutes the sundial is ahead of the clock, and the sun's declination in radians.
function place_sun(day, days,    g) {
    g = 2 * pi * (day - 1) / days
    ahead = 229.18 * (0.000075 + 0.001868 * cosine(g) - 0.032077 * sine(g) \
        - 0.014615 * cosine(2 * g) - 0.040849 * sine(2 * g))
    declination = 0.006918 - 0.399912 * cosine(g) + 0.070257 * sine(g) - 0.006758 * cosine(2 * g) \
        + 0.000907 * sine(2 * g) - 0.002697 * cosine(3 * g) + 0.00148 * sine(3 * g)
}

# One line of the table; where the sun stays up or down all day, times are empty.
function row(date, latitude, longitude,    height, half, noon) {
    height = (lifted - sine(latitude * degree) * sine(declination)) \
        / (cosine(latitude * degree) * cosine(declination))
    if (height >= 1) return date ",,,0"
    if (height <= -1) return date ",,,1440"
    half = 4 * arc_cosine(height) / degree
    noon = 720 - 4 * longitude - ahead
    return date "," clock(noon - half) "," clock(noon + half) "," int(2 * half + 0.5)
}

BEGIN {
    FS = "\t"
    pi = 3.14159265358979
    degree = pi / 180
    lifted = cosine(90.833 * degree)
    split("31 28 31 30 31 30 31 31 30 31 30 31", length_of, " ")
    days = 365 + leap(year)
    length_of[2] += leap(year)
    count = split(wanted, words, " ")
    for (i = 1; i <= count; i++) asked[words[i]] = 1
}

/^#/ || NF < 3 { next }

{
    slug = slug_of($1)
    if (count && !(slug in asked)) next
    file = out "/" slug ".csv"
    print "date,sunrise,sunset,daylight" > file
    day = 0
    for (month = 1; month <= 12; month++)
        for (date = 1; date <= length_of[month]; date++) {
            place_sun(++day, days)
            print row(sprintf("%d-%02d-%02d", year, month, date), $2, $3) > file
        }
    close(file)
}
