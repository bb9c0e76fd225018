# A value that was there and has come back.
there_and_back <- function(value) {
  put_object("it", value)
  fetch_object("it")
}

test_that("every type of R comes back as it was", {
  with_session({
    latin1 <- "caf\xe9"
    Encoding(latin1) <- "latin1"
    bytes <- "\xff\xfe"
    Encoding(bytes) <- "bytes"
    values <- list(
      NULL, NA, c(TRUE, NA, FALSE), c(1L, NA), c(1.5, NA, NaN, Inf, -Inf, -0, 5e-324, .Machine$double.xmax), complex(real = 1, imaginary = NA),
      c("a", NA, "", "\u65e5\u672c\u8a9e", "\U1f600"), latin1, bytes, as.raw(0:255), character(), integer(), list(), list(1, list("a", NULL), b = NA),
      pairlist(a = 1, 2), quote(x + y), quote(`odd name`), expression(a, b + 1), sum, `if`, factor(c("u", NA, "v"), levels = c("v", "u")),
      ordered("low", c("low", "high")), as.Date("2020-02-29"), .POSIXct(0, "Europe/Paris"), as.difftime(3, units = "hours"),
      matrix(1:6, 2, dimnames = list(NULL, c("a", "b", "c"))), array(1:8, c(2, 2, 2)), mtcars, iris, data.frame(), Titanic, AirPassengers,
      structure(list(1), class = c("one", "two"), note = "kept"), as.name("symbol"), globalenv(), emptyenv(), baseenv(), numeric_version("1.2.3")
    )
    for (value in values) {
      back <- there_and_back(value)
      expect_true(identical(back, value, num.eq = FALSE, single.NA = FALSE), label = paste(class(value), collapse = "/"))
      if (is.character(value)) expect_identical(Encoding(back), Encoding(value))
    }
  })
})

test_that("functions keep what they enclose, and environments their shape", {
  with_session({
    counter <- local({
      count <- 10
      function() count <<- count + 1
    })
    back <- there_and_back(counter)
    expect_identical(c(back(), back()), c(11, 12))
    expect_identical(counter(), 11)
    ring <- new.env()
    ring$self <- ring
    ring$value <- 1:3
    back <- there_and_back(ring)
    expect_identical(back$self, back)
    expect_identical(back$value, 1:3)
    model <- eval(quote(y ~ x), new.env(parent = globalenv()))
    expect_equal(there_and_back(model), model)
    fit <- lm(dist ~ speed, cars)
    expect_equal(predict(there_and_back(fit), data.frame(speed = 10)), predict(fit, data.frame(speed = 10)))
  })
})

test_that("S4 objects, reference objects and R6 objects work afterwards", {
  with_session({
    setClass("Point", representation(x = "numeric", y = "numeric"), where = globalenv())
    on.exit(removeClass("Point", where = globalenv()))
    point <- new("Point", x = 1, y = 2)
    expect_identical(there_and_back(point), point)
    Account <- setRefClass("Account", fields = list(balance = "numeric"), methods = list(pay = function(x) balance <<- balance + x), where = globalenv())
    on.exit(removeClass("Account", where = globalenv()), add = TRUE)
    account <- there_and_back(Account$new(balance = 1))
    account$pay(2)
    expect_identical(account$balance, 3)
    queue <- there_and_back(R6::R6Class("Queue", public = list(items = NULL, add = function(x) { self$items <- c(self$items, x); invisible(self) }))$new())
    expect_identical(queue$add(1)$add(2)$items, c(1, 2))
  })
})

test_that("vectors that are no vectors in memory, and large ones, come back", {
  with_session({
    expect_identical(there_and_back(1:1e6), 1:1e6)
    large <- as.numeric(1:2e6) / 3
    expect_identical(there_and_back(large), large)
    expect_identical(there_and_back(as.character(1:1e5)), as.character(1:1e5))
  })
})

test_that("objects get their names on the other side", {
  with_session({
    assign("first one", 1, globalenv())
    second <- "two"
    on.exit(rm(list = intersect(c("first one", "both", "there"), ls(globalenv())), envir = globalenv()))
    putLocalObject(c("first one", "second"))
    expect_identical(remote(list(`first one`, second)), list(1, "two"))
    putLocalObject(c("first one", "second"), name = "both")
    expect_identical(remote(both), list("first one" = 1, second = "two"))
    expect_error(putLocalObject("nothing_here"), "'nothing_here'", class = "offshoot_invalid")
    expect_identical(getRemoteObject("second", name = "there"), list(second = "two"))
    getRemoteObject("first one", name = "there")
    expect_identical(get("there", globalenv()), list(second = "two", "first one" = 1))
    expect_error(getRemoteObject("missing"), "missing", class = "offshoot_not_found")
    remoteExecute("rm(list = ls()); there <- 5; more <- 6")
    expect_setequal(getRemoteWorkspace(), c("more", "there"))
    expect_identical(get("there", globalenv()), 5)
    rm("more", envir = globalenv())
    remoteExecute("rm(list = ls())")
    expect_true("there" %in% putLocalWorkspace())
    expect_identical(remote(there), 5)
  })
})

test_that("an object in place of a name is refused", {
  login_is_not_needed <- mtcars
  for (obj in list(login_is_not_needed, NULL, NA_character_, "")) {
    expect_error(putLocalObject(obj), "by their names", class = "offshoot_invalid")
    expect_error(getRemoteObject(obj), "by their names", class = "offshoot_invalid")
  }
  expect_error(getRemoteObject("a", name = c("b", "c")), class = "offshoot_invalid")
})
