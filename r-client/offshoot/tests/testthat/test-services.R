# Evaluates code with a login, and with a service name that nobody else has; the service is gone afterwards.
with_name <- function(code, session = FALSE) {
  skip_without_server()
  login(session)
  on.exit({
    for (version in listed(name)) deleteService(name, version)
    remoteLogout()
  })
  name <- paste0("test-", basename(tempfile("")))
  code(name)
}

listed <- function(name) vapply(listServices(name), function(one) one$version, "")

test_that("a function is published with its model, and called by position and by name", {
  with_name(function(name) {
    cars_model <- glm(formula = am ~ hp + wt, data = mtcars, family = binomial)
    manual <- function(hp, wt) {
      newdata <- data.frame(hp = hp, wt = wt)
      predict(cars_model, newdata, type = "response")
    }
    api <- publishService(name, code = manual, model = cars_model, inputs = list(hp = "numeric", wt = "numeric"),
      outputs = list(answer = "numeric"), v = "v1.0.0", descr = "Whether a car has a manual transmission")
    expect_equal(round(api$manual(120, 2.8)$output("answer"), 7), 0.6418125)
    result <- api$consume(wt = 2.8, 120)
    expect_true(result$success)
    expect_equal(result$outputParameters$answer, 0.6418125, tolerance = 1e-6)
    expect_named(result[1:3], c("success", "errorMessage", "outputParameters"))
    expect_output(print(result), "$answer", fixed = TRUE)
    expect_output(print(api), paste0("Service ", name, ", version v1.0.0"))
    expect_identical(api$capabilities()$operation_id, "manual")
    expect_match(api$swagger(), "\"swagger\"", fixed = TRUE)
    expect_identical(api$swagger(json = FALSE)$info$title, name)
    # The snapshot of the model is not left behind.
    expect_false(any(as.data.frame(listSnapshots())$id == api$capabilities()$snapshot_id))
  })
})

test_that("inputs that are not as declared are refused", {
  with_name(function(name) {
    api <- publishService(name, "y <- x", v = "1", inputs = list(x = "numeric"), outputs = list(y = "numeric"))
    expect_error(api$consume("a"), "\"x\"", class = "offshoot_invalid")
    expect_error(api$consume(1, 2), "these inputs: x", class = "offshoot_invalid")
    expect_error(publishService(name, "1", v = "1"), class = "offshoot_exists")
    expect_error(publishService(name, "1", v = "2", serviceType = "Realtime"), class = "offshoot_invalid")
    expect_error(publishService(name, "1", v = "2", model = "nothing.RData"), "no file", class = "offshoot_invalid")
    expect_false(publishService(name, "stop('bad')", v = "2")$consume()$success)
  })
})

test_that("values of each type go both ways", {
  with_name(function(name) {
    given <- list(a = TRUE, b = 0.1, c = 3L, d = "text \u00e9", e = c(1.5, NA), f = rbind(1:2, 3:4), g = data.frame(n = c(1L, 2L), t = c("x", NA)))
    types <- list(a = "logical", b = "numeric", c = "integer", d = "character", e = "vector", f = "matrix", g = "data.frame")
    outputs <- structure(types, names = paste0(names(types), "2"))
    api <- publishService(name, paste0(names(outputs), " <- ", names(types), collapse = "; "), v = "1", inputs = types, outputs = outputs)
    back <- do.call(api$consume, given)$outputParameters
    expect_equal(unname(back), unname(given))
  })
})

test_that("a service is changed, and keeps what was not given", {
  with_name(function(name) {
    publishService(name, "y <- x", v = "1", inputs = list(x = "numeric"), outputs = list(y = "numeric"), descr = "first")
    api <- updateService(name, "1", code = function(x) x * 3)
    expect_identical(api$consume(2)$output("y"), 6)
    expect_identical(api$capabilities()$description, "first")
    factor <- 10
    expect_identical(updateService(name, "1", "y <- x * factor", model = factor)$consume(2)$output("y"), 20)
    expect_error(updateService(name, "7", descr = "none"), class = "offshoot_not_found")
  })
})

test_that("code and models come from files, also from those of a folder", {
  with_name(function(name) {
    folder <- tempfile("code")
    dir.create(folder)
    writeLines("y <- x + offset", file.path(folder, "code.R"))
    writeLines("offset <- 100", file.path(folder, "model.R"))
    offset <- 1000
    save(offset, file = file.path(folder, "model.RData"))
    serviceOption()$set("data-dir", folder)
    on.exit(serviceOption()$set("base_dir", NULL))
    expect_identical(serviceOption()$get("base_dir"), folder)
    inputs <- list(x = "numeric")
    outputs <- list(y = "numeric")
    expect_identical(publishService(name, "code.R", "model.R", inputs = inputs, outputs = outputs, v = "1")$consume(1)$output("y"), 101)
    expect_identical(publishService(name, "code.R", "model.RData", inputs = inputs, outputs = outputs, v = "2")$consume(1)$output("y"), 1001)
    expect_identical(listed(name), c("1", "2"))
    expect_identical(getService(name)$capabilities()$version, "2")
    told <- deleteService(name, "2")
    expect_match(told, "Service .* version 2 deleted.")
    expect_error(getService(name, "2"), class = "offshoot_not_found")
  })
})

test_that("files of a call, and a batch of calls, come back", {
  with_name(function(name) {
    api <- publishService(name, "y <- 2 * x; writeLines(as.character(y), 'out.txt')", v = "1", inputs = list(x = "numeric"),
      outputs = list(y = "numeric"), artifacts = "out.txt")
    result <- api$consume(21)
    expect_identical(rawToChar(result$artifact("out.txt")), "42\n")
    expect_null(result$artifact("none.txt"))
    batch <- api$batch(data.frame(x = c(1, 2, 3)), parallelCount = 2)
    expect_error(batch$results(), "$start()", fixed = TRUE, class = "offshoot_invalid")
    batch$start()
    while (!batch$results(showPartialResult = FALSE)$state %in% unlist(batch$STATE)) Sys.sleep(0.05)
    results <- batch$results()
    expect_identical(results$state, "complete")
    expect_identical(c(results$totalItemCount, results$completedItemCount), c(3L, 3L))
    expect_identical(vapply(1:3, function(i) results$execution(i)$output("y"), 0), c(2, 4, 6))
    expect_identical(batch$listArtifacts(2), "out.txt")
    expect_identical(rawToChar(batch$artifact(2, "out.txt")), "4\n")
    file <- batch$download(3, "out.txt", tempdir())
    expect_identical(readLines(file), "6")
    expect_identical(api$getBatchExecutions(), batch$id())
    expect_identical(api$getBatch(batch$id())$results()$state, "complete")
    expect_true(batch$cancel())
    expect_identical(api$getBatchExecutions(), character())
  })
})

test_that("a service with a snapshot runs in it", {
  with_name(session = TRUE, function(name) {
    remoteExecute("greeting <- 'hello'; writeLines('data', 'file.txt')")
    snapshot <- createSnapshot("for a service")
    extra <- 5
    code <- "y <- list(greeting, readLines('file.txt'), extra)"
    api <- publishService(name, code, model = extra, snapshot = snapshot, v = "1", outputs = list(y = "vector"))
    deleteSnapshot(snapshot)
    expect_identical(api$consume()$output("y"), list("hello", "data", 5L))
    # Publishing has left the session of the login as it was.
    expect_identical(remote(greeting), "hello")
  })
})

test_that("parameters without names, and names of files that are not there, are refused", {
  for (parameters in list(list("numeric"), "numeric", list(x = NULL), list(x = c("numeric", "integer")), list(x = 1))) {
    expect_error(types_of(parameters), "by name", class = "offshoot_invalid")
  }
  expect_identical(types_of(c(x = "numeric")), "[{\"name\":\"x\",\"type\":\"numeric\"}]")
  expect_error(service_code("nowhere/code.R", list(), list()), "no file", class = "offshoot_invalid")
  expect_error(service_code(quote(x + 1), list(), list()), class = "offshoot_invalid")
  expect_identical(service_code("y <- model.R", list(), list()), "y <- model.R")
})
