# One value a line: what R's users have, and what jsonlite's rules are about.
# nothing, logical
NULL
TRUE
FALSE
NA
c(TRUE, NA, FALSE)
logical()
c(a = TRUE)
I(TRUE)
I(c(TRUE, FALSE))
structure(TRUE, class = 'logical')
# integers
1L
-2147483647L
NA_integer_
c(1L, NA, 3L)
integer()
1:10
100000L
10:1
seq(2L, 2e5L, by = 77777L)
c(x = 1L, y = 2L)
I(5L)
structure(1:3, class = 'integer')
structure(1:3, class = c('mine', 'integer'))
# doubles
0
-0
1
-1
0.1
1/3
2/3
0.1 + 0.2
100
1e5
123456
1e14
999999999999999
1e15
123456789012345678
1e16
1e22
1e100
1e-4
0.00012345
1e-5
0.00001234
1e-7
1.5e-10
5e-324
2.2250738585072014e-308
2.2250738585072009e-308
.Machine$double.xmax
-.Machine$double.xmax
.Machine$double.eps
pi
exp(1) * 1e10
1234567.891
2^31
2^53
2^53 + 2
-2^63
1e5 + 0.1
0.1234567890123456
123456789.12345678
99999.99999999999
0.99999999999999999
c(1.5, NA, NaN, Inf, -Inf)
NA_real_
NaN
Inf
numeric()
c(a = 1, b = 2)
I(1)
I(c(1, 2))
structure(1.5, class = 'numeric')
structure(2, class = c('mine', 'numeric'))
structure(1, note = 'attributes are not seen')
seq(0, 1, 0.1)
10^(-20:20)
(1:50) / 7
# complex
1i
complex(0)
c(1+2i, NA)
complex(real = 1/3, imaginary = 1e10)
list(a = 1, b = 1i)
c(a = 0i)
data.frame(z = complex(0))
data.frame(z = 1i)
# strings
'a'
''
NA_character_
c('a', NA, 'b')
character()
c(a = 'x')
I('a')
I(c('a', 'b'))
'quote " backslash \\ slash / </script> <'
'tab\ttab newline\n return\r bell\a backspace\b feed\f vertical\v escape\033 delete\177'
'caf\u00e9 \u20ac \U1F600 \u4e2d'
'\u0080\u009f\ufeff\uffff'
iconv('caf\u00e9', 'UTF-8', 'latin1')
c('plain', iconv('caf\u00e9', 'UTF-8', 'latin1'), 'caf\u00e9')
c('</', '</a', '/', '//', '<', '< /')
paste(rep('long ', 1000), collapse = '')
letters
structure('a', class = 'character')
structure(c('a', 'b'), class = c('glue', 'character'))
structure('x', class = c('fs_path', 'character'))
noquote('a')
# raw
as.raw(1:3)
raw()
as.raw(0:53)
as.raw(0:54)
as.raw(rep(0:255, 3))
I(as.raw(1))
I(as.raw(1:2))
charToRaw('hello')
matrix(as.raw(1), 1)
matrix(as.raw(1:4), 2)
array(as.raw(1:2), 2)
data.frame(r = as.raw(c(0, 15, 16, 255)))
list(as.raw(1), as.raw(1:100))
# lists
list()
list(1)
list(1, 'a', TRUE, NULL)
list(NULL)
list(a = 1)
list(a = NULL)
list(a = 1, 2)
list(a = 1, a = 2)
list(a = 1, a = 2, a.1 = 3)
list(a = 1, a = 2, a = 3, a = 4)
list(b = 1, b = 2, '2' = 3, 4)
setNames(list(1, 2, 3), c('', NA, 'x'))
setNames(list(1, 2), c('2', ''))
setNames(list(), character())
list(list(), list(list()), setNames(list(), character()))
list(a = list(b = list(c = 1:3)))
list(x = c(a = 1), y = 1:2, z = character())
setNames(list(1, 2), c('with "quotes"', 'and\nlines'))
I(list(1, 2))
I(list(a = 1))
list(I(1), I('a'), 1)
structure(list(a = 1), class = 'list')
structure(list(a = 1), class = c('mine', 'list'))
structure(list(a = 1), class = 'mine')
list(list(a = 1, b = 'x'), list(a = 2, b = 'y'))
as.list(1:3)
list(1, structure(1, class = 'mine'))
pairlist(a = 1, b = 'x')
pairlist(1, 2)
list(pairlist(a = 1))
formals(function(a = 1, b = 'x') NULL)
list(matrix(1:4, 2), data.frame(a = 1:2))
rapply(list(1, list(2, 3)), function(x) x + 1, how = 'list')
# factors
factor(c('a', 'b', NA, 'a'))
factor('a')
factor(character())
factor(c('low', 'high'), levels = c('low', 'high'), ordered = TRUE)
factor(1:3, labels = c('one', 'two "2"', '\u00e9'))
addNA(factor(c('a', NA)))
I(factor('a'))
structure(factor(c('a', 'b')), class = c('mine', 'factor'))
structure(1:2, class = 'factor')
structure(c(1L, 5L), levels = c('a', 'b'), class = 'factor')
structure(c(1, 2), levels = c('a', 'b'), class = c('mine', 'factor'))
structure(1:2, levels = 1:2, class = 'factor')
interaction(c('a', 'b'), c('x', 'y'))
cut(1:3, 2)
list(f = factor('u'))
# dates
as.Date('2021-02-24')
as.Date(c('2021-02-24', NA, '1969-12-31'))
as.Date(character())
as.Date(NA)
structure(18682L, class = 'Date')
structure(18682.7, class = 'Date')
as.Date(c('0099-12-31', '1000-01-01', '9999-12-31'))
as.Date('10000-01-01', optional = TRUE)
structure(c(2932896, 2932897), class = 'Date')
structure(c(-354285, -354286), class = 'Date')
structure(c(NaN, NA, 1), class = 'Date')
structure(Inf, class = 'Date')
c(x = as.Date('2021-02-24'))
I(as.Date('2021-02-24'))
structure(18682, class = c('mine', 'Date'))
structure(1:4, dim = c(2L, 2L), class = 'Date')
seq(as.Date('2020-01-31'), by = 'month', length.out = 5)
list(d = as.Date('2021-02-24'))
structure('x', class = 'Date')
# moments
as.POSIXct('2021-02-24 10:11:12', tz = 'UTC')
as.POSIXct('2021-02-24 10:11:00', tz = 'UTC')
as.POSIXct('2021-02-24', tz = 'UTC')
as.POSIXct(c('2021-02-24 10:11:12', NA), tz = 'Europe/Paris')
as.POSIXct(c('2021-02-24', '2021-02-25 01:00'), tz = 'UTC')
as.POSIXct('2021-02-24 10:11:12.345', tz = 'UTC')
as.POSIXct('2021-02-24 10:11:12')
as.POSIXct(character(), tz = 'UTC')
structure(0, class = c('POSIXct', 'POSIXt'))
structure(0L, class = c('POSIXct', 'POSIXt'), tzone = 'America/New_York')
structure(1e15, class = c('POSIXct', 'POSIXt'), tzone = 'UTC')
I(as.POSIXct('2021-02-24 10:11:12', tz = 'UTC'))
structure(0, class = c('mine', 'POSIXct', 'POSIXt'), tzone = 'UTC')
as.POSIXlt('2021-02-24 10:11:12', tz = 'Asia/Tokyo')
as.POSIXlt(c('2021-02-24 10:11:12', '2021-02-25 00:00:00'), tz = 'UTC')
list(t = as.POSIXlt('2021-02-24 10:11:12', tz = 'UTC'), d = as.POSIXct('2021-02-24', tz = 'UTC'))
structure(list(1), class = c('POSIXlt', 'POSIXt'))
# spans and times of day
as.difftime(1, units = 'secs')
as.difftime(c(1, 2), units = 'days')
structure(3661, class = c('hms', 'difftime'), units = 'secs')
structure(c(3661, NA), class = c('hms', 'difftime'), units = 'secs')
structure(3661L, class = 'ITime')
{ loadNamespace('data.table'); data.table::as.ITime(c('10:11:12', NA)) }
data.table::as.IDate('2021-02-24')
# arrays
matrix(1:6, 2)
matrix(c(1.5, NA), 1)
matrix(c('a', 'b', NA, 'd'), 2)
matrix(TRUE)
matrix(1)
I(matrix(1))
matrix(numeric(), 0, 2)
matrix(numeric(), 2, 0)
matrix(numeric(), 0, 0)
matrix(1:4, 2, dimnames = list(c('a', 'b'), c('x', 'y')))
matrix(list(1, 'a', NULL, 1:2), 2)
matrix(list(), 0, 3)
structure(list(1), dim = c(1L, 1L), names = 'a')
matrix(1i)
matrix(complex(0), 0, 0)
array(1:24, c(2, 3, 4))
array(1:16, c(2, 2, 2, 2))
array(1:3)
array(1)
array('a', 1)
array(numeric(), 0)
array(list(1, 2), 2, list(c('a', 'b')))
array(list(1, 'x'), 2)
array(1:2, c(1, 1, 2))
array(numeric(), c(2, 0, 2))
array(numeric(), c(0, 2, 2))
array(numeric(), c(2, 2, 0))
tapply(c(1, 2, 3), c('a', 'b', 'a'), sum)
tapply(1:3, c('a', 'b', 'a'), identity)
structure(1:4, dim = c(2L, 2L), class = 'matrix')
structure(1:4, dim = c(2L, 2L), class = c('mine', 'matrix'))
structure(1:3, class = 'array')
outer(1:3, 1:3)
table(c(1, 1, 2))
table(a = c(1, 2), b = c('x', 'y'))
ts(1:3)
ts(1)
ts(c(a = 1.5, b = 2), start = 2000, frequency = 12)
ts(matrix(1:6, 3, 2))
AirPassengers[1:5]
Titanic
list(m = diag(2), a = array(1:2, 2))
# data frames
data.frame()
data.frame(a = 1:2, b = c('x', NA))
data.frame(a = 1)
data.frame(a = integer())
data.frame(row.names = 1:2)
data.frame(row.names = 1)
data.frame(row.names = c('a', 'b'))
data.frame(a = 1:2, row.names = c('x', 'y'))
data.frame(a = 1:2, row.names = c('7', '3'))
data.frame(a = 1:2, row.names = c('7', 'x'))
data.frame(a = 1:2, '_row' = 3:4, row.names = c('x', 'y'), check.names = FALSE)
data.frame(a = 1:2, a = 3:4, check.names = FALSE)
data.frame(a = 1:2, a = 3:4, a.1 = 5:6, check.names = FALSE)
setNames(data.frame(1:2, 3:4), c('', NA))
setNames(data.frame(1:2, 3:4), c('b', ''))
{ x <- data.frame(1:2, 3:4); names(x) <- NULL; x }
data.frame(f = factor(c('u', NA)), d = as.Date(c('2021-02-24', NA)), t = as.POSIXct(c('2021-02-24 10:11:12', NA), tz = 'UTC'))
data.frame(l = c(TRUE, NA), i = c(1L, NA), n = c(1.5, NA), s = c('a', NA), inf = c(Inf, NaN))
head(mtcars, 3)
head(iris, 3)
cars[1:3, ]
cars[c(5, 2), ]
iris[0, ]
airquality[1:6, ]
data.frame(a = I(list(1, 'x')))
data.frame(a = I(list(1:2, NULL)))
data.frame(a = I(list(x = 1, y = 2)))
data.frame(a = I(list(list(b = 1), data.frame(c = 1:2))))
{ x <- data.frame(a = 1:2); x$m <- matrix(1:4, 2); x }
{ x <- data.frame(a = 1:2); x$m <- matrix(letters[1:6], 2); x$l <- list(1, list()); x }
{ x <- data.frame(a = 1:2); x$d <- data.frame(b = 3:4, c = c('u', 'v')); x }
{ x <- data.frame(a = 1:2); x$d <- data.frame(b = 3:4); x$d$e <- data.frame(f = 5:6, g = 7:8); x$z <- 9:10; x }
{ x <- data.frame(a = 1:2); x$d <- data.frame(b = 3:4, row.names = c('x', 'y')); x }
{ x <- data.frame(a = 1:2); x$t <- as.POSIXlt(c('2021-02-24 10:11:12', '2021-02-24 00:00:00'), tz = 'UTC'); x }
{ x <- data.frame(a = 1:2); x$m <- array(1:8, c(2, 2, 2)); x }
{ x <- data.frame(a = 1); x$m <- array(5, 1); x }
{ x <- data.frame(a = 1:2); x$m <- array(5:6, 2); x }
{ x <- data.frame(a = 1:2); x$m <- list(mean, sum); x }
{ x <- data.frame(a = 1:2); x$m <- list(a = 1, b = 'x'); x }
{ x <- data.frame(a = 1:2); x$m <- matrix(list(1, 'a', NULL, 2), 2); x }
structure(list(a = 1:2, b = 1:3), class = 'data.frame', row.names = 1:2)
structure(list(a = 1), class = 'data.frame')
structure(data.frame(a = 1), class = c('tbl_df', 'tbl', 'data.frame'))
tibble::tibble(a = 1:2, b = list(1, 'x'))
data.table::data.table(a = 1:2, b = c('x', 'y'))
data.table::data.table(a = 1:2, key = 'a')[, .(n = .N), by = a]
aggregate(breaks ~ wool, warpbreaks, mean)
as.data.frame(table(c('a', 'b')))
summary(cars)
list(x = data.frame(a = 1), y = data.frame())
I(data.frame(a = 1))
anova(lm(dist ~ speed, cars))
expand.grid(a = 1:2, b = c('x', 'y'))
merge(data.frame(k = 1:2, a = 3:4), data.frame(k = 2:3, b = 5:6), all = TRUE)
structure(list(a = as.raw(1:2)), class = 'data.frame', row.names = 1:2)
# scalars, integer64 and other classes that jsonlite knows
jsonlite::unbox(1)
jsonlite::unbox('a')
jsonlite::unbox(NA)
jsonlite::unbox(TRUE)
jsonlite::unbox(as.Date('2021-02-24'))
jsonlite::unbox(as.POSIXct('2021-02-24 10:11:12', tz = 'UTC'))
jsonlite::unbox(as.POSIXlt('2021-02-24 10:11:12', tz = 'UTC'))
jsonlite::unbox(factor('a'))
jsonlite::unbox(data.frame(a = 1, b = 'x'))
list(jsonlite::unbox(1), jsonlite::unbox(data.frame(a = 1)), x = jsonlite::unbox('y'))
structure(1, class = 'scalar')
structure(matrix(1:2, 1), class = c('scalar', 'matrix', 'array'))
structure(list(1), class = c('scalar', 'list'))
list(structure(1:2, class = c('scalar', 'integer')))
structure(c(5e-324, 1e-323, NA), class = 'integer64')
structure(c(-0.0), class = 'integer64')
structure(numeric(), class = 'integer64')
structure(1:2, class = 'integer64')
structure(list(i = structure(c(5e-324, 1e-323), class = 'integer64')), class = 'data.frame', row.names = 1:2)
jsonlite::toJSON(list(a = 1))
list(jsonlite::toJSON(1))
structure(list(as.raw(1:3), NULL, raw()), class = c('blob', 'vctrs_list_of', 'vctrs_vctr', 'list'))
structure(list(structure(c(1, 2), class = c('XY', 'POINT', 'sfg'))), class = c('sfc_POINT', 'sfc'))
structure(list(structure(matrix(1:4, 2), class = c('XY', 'LINESTRING', 'sfg')), structure(list(structure(c(1, 2), class = c('XY', 'POINT', 'sfg'))), class = c('XY', 'GEOMETRYCOLLECTION', 'sfg'))), class = c('sfc_GEOMETRY', 'sfc'))
{ x <- structure(list(a = 1:2), class = c('sf', 'data.frame'), row.names = 1:2); x$geometry <- structure(list(structure(c(1, 2), class = c('XY', 'POINT', 'sfg')), structure(c(3, 4), class = c('XY', 'POINT', 'sfg'))), class = c('sfc_POINT', 'sfc')); x }
# functions
function(x) x
function(x, ...) { y <- x + 1; y }
sum
`if`
mean
list(f = function() NULL)
ecdf(1:3)
structure(function(x) x, class = 'function')
structure(function(x) x, class = c('mine', 'function'))
I(function(x) x)
function(`odd name`, b = "quoted \"text\"") NULL
# what toJSON cannot write
quote(a)
quote(`odd name`)
quote(a + b)
quote(if (a) b else c)
quote((a))
quote({ a; b })
y ~ x
y ~ x + log(z) | w
~ .
expression(a)
expression(a + b, c)
new.env()
structure(new.env(), class = 'one', note = 1)
globalenv()
asNamespace('stats')
baseenv()
lm(dist ~ speed, cars)
t.test(extra ~ group, sleep)
R.version
numeric_version('1.2.3')
as.hexmode(255)
as.roman(4)
structure(1, class = 'mine')
structure(c(a = 1, b = NA), class = 'mine', other = list(1, 'x'))
structure(list(a = 1, b = 'x'), class = 'mine')
structure(c(TRUE, NA), class = 'mine')
structure(c(1.123456789, NaN, Inf, -Inf, NA, 1e-10, 123456789.987654321, 2147483647, 1e10, 1e300, 0.00001, 0.000011), class = 'mine')
structure(c(1L, NA), class = 'mine')
structure(c('a', NA, '"'), class = 'mine')
structure(as.raw(1:60), class = 'mine')
structure(c(1+2i, NA, complex(real = NaN, imaginary = Inf)), class = 'mine')
structure(factor(c('a', NA)), class = 'mine')
structure(matrix(1:4, 2, dimnames = list(NULL, c('a', 'b'))), class = 'mine')
structure(pairlist(a = 1, 2), class = 'mine')
structure(list(), class = 'mine')
structure(list(NULL, sum, `if`, function(x, y = 2) x + y, quote(a), expression(b), new.env(), 1i), class = 'mine')
structure(list(a = as.Date('2021-02-24'), t = as.POSIXlt('2021-02-24', tz = 'UTC')), class = 'mine')
structure(data.frame(a = 1:2), class = 'mine')
structure(data.frame(a = 1:2, row.names = c('x', 'y')), class = 'mine')
structure(ts(1:3), class = 'mine')
structure(list(function(x) NULL), class = 'mine')
as.difftime(c(a = 1), units = 'mins')
table(c('a', 'b', 'a'))
xtabs(~ cyl + gear, mtcars)
by(warpbreaks[, 1:2], warpbreaks[, 'tension'], summary)
density(1:5, n = 4)
simpleCondition('message')
simpleError('an error', quote(f(x)))
try(log('x'), silent = TRUE)
sessionInfo()$R.version
structure(list(1), class = c('one', 'two'))
getRversion()
packageDescription('stats')$Version
person('A', 'B')
as.name('\u00e9')
nls(mpg ~ a + b * wt, mtcars, list(a = 40, b = -5))$m$getPars()
terms(y ~ x)
model.frame(dist ~ speed, head(cars, 2))
methods::getGenerics
# S4
getClass('numeric')
getClass('lm')
getClass('MethodDefinition')
{ setClass('A', representation(x = 'numeric', y = 'list')); new('A', x = 1:3 / 7, y = list(1, 'a')) }
getClass('A')
{ setClass('B', contains = 'numeric', representation(u = 'character')); new('B', c(1.5, 2), u = 'cm') }
{ setClass('C', contains = 'list', representation(u = 'character')); new('C', list(1, 'a'), u = 'cm') }
{ setClass('D', contains = 'character'); new('D', c('a', 'b')) }
{ setClass('E', contains = 'function'); new('E', function(x) x) }
{ setClass('G', contains = 'data.frame'); new('G', data.frame(a = 1:2)) }
{ setClass('H', contains = 'A', representation(z = 'ANY')); new('H', x = 1, y = list(), z = NULL) }
{ setClass('M', contains = 'matrix'); new('M', matrix(1:4, 2)) }
{ setClass('P', representation('VIRTUAL')); setClass('Q', contains = 'P', representation(e = 'environment', f = 'function')); new('Q', e = globalenv(), f = sum) }
{ setOldClass(c('myframe', 'data.frame')); structure(data.frame(a = 1:2), class = c('myframe', 'data.frame')) }
{ setOldClass(c('mynumber', 'numeric')); structure(1.5, class = 'mynumber') }
{ setOldClass(c('myfactor', 'factor')); structure(factor('a'), class = c('myfactor', 'factor')) }
{ setGeneric('area', function(shape) standardGeneric('area')); area }
list(1, new('A', x = 1, y = list()))
Matrix::Matrix(1:4, 2)
{ R <- setRefClass('R', fields = list(a = 'numeric')); R$new(a = 1)$a }
# more of the everyday
as.list(unlist(R.version))['language']
Sys.getenv('HOME') == ''
quantile(1:10)
range(cars$speed)
strsplit('a,b', ',')
split(1:4, c('x', 'y'))
sapply(list(a = 1:3, b = 4:6), mean)
sapply(list(a = 1:3, b = 4:6), range)
Map(function(a, b) a + b, 1:2, 3:4)
rle(c(1, 1, 2))
unclass(rle(c(1, 1, 2)))
coef(lm(dist ~ speed, cars))
summary(lm(dist ~ speed, cars))$coefficients
do.call(rbind, list(1:2, 3:4))
Reduce(`+`, 1:4, accumulate = TRUE)
mapply(rep, 1:3, 3:1)
nchar(c('a', 'bb'))
seq_len(0)
rev(list(1, 'a'))
regmatches('a1b2', gregexpr('[0-9]', 'a1b2'))
gregexpr('[0-9]', 'a1b2')
as.list(mtcars[1:2, 1:2])
unlist(list(a = 1, b = list(c = 2)))
array(c(TRUE, NA), c(1, 2))
vapply(1:3, function(i) letters[i], '')
R.Version()$major
Sys.time() > 0
# and what is rarer
{ x <- 1; for (i in 1:80) x <- list(x); x }
{ x <- quote(a); for (i in 1:40) x <- list(x); x }
getLoadedDLLs()[['stats']]
structure('a', class = 'numeric')
structure('a', class = 'matrix')
{ x <- data.frame(a = 1:2); x$p <- array(list(5), 1, list('q')); x }
{ x <- data.frame(a = 1:2); x$s <- structure(1:2, class = c('scalar', 'integer')); x }
data.frame(a = I(letters[1:2]), b = I(1:2))
tibble::tibble(a = 1:2, d = tibble::tibble(b = 3:4))
tibble::as_tibble(mtcars)[1:2, ]
survival::Surv(c(1, 2), c(1, 0))
data.frame(s = I(survival::Surv(c(1, 2), c(1, 0))))
grid::unit(1, 'npc')
{ R <- setRefClass('R', fields = list(a = 'numeric')); R$new(a = 1) }
{ R <- setRefClass('R', fields = list(a = 'numeric')); R }
textConnection('a')
stdin()
as.POSIXlt(c('2021-02-24 10:11:12', NA))
unclass(as.POSIXlt('2021-02-24', tz = 'UTC'))
structure(list(1, 2), dim = 2L)
structure(list(a = 1, b = 2), dim = 2L)
structure(list(1, 2), dim = c(2L, 1L), dimnames = list(c('a', 'b'), NULL))
quote(f(x, y = 2)(3))
as.call(list(as.name('f'), 1:3, c(a = 1)))
body(function(x) { x + 1 })
quote(function(x, y = 2) x)
alist(a = , b = 1)
list(quote(expr = ))
substitute(a + b, list(a = 1, b = quote(z)))
structure(quote(a + b), class = 'mine', extra = 1)
c(a = quote(b))
structure(expression(a, b), names = c('x', 'y'))
emptyenv()
environment(sd)
as.environment('package:stats')
structure(list(asNamespace('jsonlite')), class = 'x')
.Machine
Sys.info()['sysname']
.Platform
options()['digits']
list(1, c(a = 1i))
c(1e-5, 9.999999e-6, 1.00000001e-5, -1e-5, 2147483646.99999999, 2147483647.5, -2147483648)
structure(c(1e-5, 9.999999e-6, 1.00000001e-5, -1e-5, 2147483646.99999999, 2147483647.5, -2147483648, 1/3, 2/3, 1e-4/3, 0.123456785, 0.5, 0.000000005, 1.000000005, 1.000000015, 123.999999999, 5e-9, 1e9 + 1/3, -0.0), class = 'mine')
structure(10^seq(-30, 30, 0.37), class = 'mine')
structure(-(1:100) / 97, class = 'mine')
structure(1i * 10^(-5:5), class = 'mine')
structure(complex(0), class = 'mine')
structure(list(complex(0)), class = 'mine')
list(weak = structure(list(), class = 'weakref'))
methods::slot(getClass('numeric'), 'package')
bquote(a + .(1:3))
structure(list(), names = character(), class = 'mine')
structure(data.frame(a = 1), class = c('grouped_df', 'tbl_df', 'tbl', 'data.frame'), groups = data.frame(x = 1))
structure(1, class = c('units'), units = 'm')
structure(c(a = 1), class = c('pillar_num', 'vctrs_vctr', 'double'))
structure(1L, class = c('haven_labelled', 'vctrs_vctr', 'integer'), labels = c(yes = 1L))
structure(list(1:2, 'a'), class = c('vctrs_list_of', 'vctrs_vctr', 'list'), ptype = NULL)
`levels<-`(factor(1:2), c('a', 'b'))
`dim<-`(factor(1:4), c(2, 2))
structure(1:2, levels = c('a', NA), class = 'factor')
structure(c(0L, -1L), levels = 'a', class = 'factor')
structure(c(0L, -1L, NA), levels = character(), class = 'factor')
structure(NA_integer_, class = 'factor', levels = 1:2)
data.frame(a = c(1.123456789012345678, 100), b = c(-0.0, 1e-300))
Recall
array(1:3, 3, list(c('a', 'b', 'c')))
list(array(1:3, 3, list(c('a', 'b', 'c'))))
data.frame(a = c(TRUE, FALSE))[integer(), , drop = FALSE]
list(a = data.frame()[0, 0])
structure(list(1, 2, 3), names = c('a', 'b', 'c'), row.names = 1L, class = 'data.frame')
structure(list(a = 1:2, b = list(1, 2)), row.names = c('', 'x'), class = 'data.frame')
data.frame(x = c(a = 1, b = 2))
data.frame(a = 1:2, row.names = c('\u0661', '\u0662'))
mtcars[['mpg']]
by(warpbreaks[, 1], warpbreaks[, -1], summary)
stl(nottem, 'per')$win
arima(lh, order = c(1,0,0))$coef
hclust(dist(matrix(1:4, 4)))$merge
dist(matrix(1:4, 4))
poly(1:5, 2)
splines::bs(1:5, df = 4)
as.table(matrix(1:4, 2))
ftable(Titanic, row.vars = 1:2)
contr.treatment(3)
model.matrix(~ factor(1:3))
strtoi('777', 8L)
bitwAnd(5L, 3L)
Sys.Date() - as.Date('2020-01-01') > 0
rev(as.list(letters[1:3]))
.leap.seconds[1:3]
OlsonNames()[1:2]
seq(as.POSIXct('2021-03-28', tz = 'Europe/Paris'), by = 'hour', length.out = 4)
as.POSIXct(c('2021-03-28 01:59:59', '2021-03-28 03:00:00'), tz = 'Europe/Paris')
as.POSIXct('0099-12-31 10:11:12', tz = 'UTC')
as.POSIXct('1960-06-15 10:11:12', tz = 'America/New_York')
trunc(Sys.time(), 'days') > 0
round(as.POSIXlt('2021-02-24 10:11:12', tz = 'UTC'), 'hours')
ISOdate(2021, 2, 24)
as.Date(as.POSIXct('2021-02-24 23:00:00', tz = 'UTC'))
julian(as.Date('2021-02-24'))
months(as.Date('2021-02-24'))
# and what should not be there
structure(1, class = c('\xff\xfe', 'numeric'))
structure(list(a = 1), class = rep('x', 300))
structure(new.env(), class = 'json')
structure(new.env(), class = 'Date')
structure(list(1), class = 'json')
structure(1:2, class = 'json')
structure(TRUE, class = 'POSIXct')
structure(quote(a+b), class = 'hms')
structure(1:3, class = 'data.frame')
structure(list(1, 2), class = 'data.frame', row.names = 1:2)
structure(list(a = NULL, b = 1), class = 'data.frame', row.names = 1L)
structure(list(1:2, 3:4), names = c('a', NA), class = 'data.frame', row.names = c('r', 's'))
structure(list(1:2, 3:4), names = c('', ''), class = 'data.frame', row.names = c('r', 's'))
structure(list(1:2, 3:4), names = c(NA, NA), class = 'data.frame', row.names = c('r', 's'))
data.frame(a = 1:2, '_row' = 3:4, '_row' = 5:6, row.names = c('x', 'y'), check.names = FALSE)
