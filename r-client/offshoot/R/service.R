# A service that can be called, its batches, and what a call gives.

# Its operation is also a function of its own name.
Service <- R6Class("Service",
  lock_objects = FALSE, cloneable = FALSE,
  public = list(
    initialize = function(described) {
      private$described <- described
      alias <- described$operationId
      if (!is.null(alias) && nzchar(alias) && is.null(self[[alias]])) self[[alias]] <- function(...) self$consume(...)
    },
    print = function(...) {
      about <- private$described
      parameters <- function(all) {
        if (length(all) == 0L) "nothing" else paste(vapply(all, function(one) paste0(one$name, " (", one$type, ")"), ""), collapse = ", ")
      }
      cat("Service ", about$name, ", version ", about$version, "\n", sep = "")
      if (isTRUE(nzchar(about$description))) cat("  ", about$description, "\n", sep = "")
      cat("  takes: ", parameters(about$inputParameterDefinitions), "\n", sep = "")
      cat("  gives: ", parameters(about$outputParameterDefinitions), "\n", sep = "")
      cat("  call it by $", about$operationId, "(...)\n", sep = "")
      invisible(self)
    },
    capabilities = function() {
      about <- private$described
      list(
        api = private$path(), name = about$name, version = about$version, published_by = about$owner, description = about$description,
        creation_time = about$creationTime, snapshot_id = about$snapshotId, inputs = about$inputParameterDefinitions,
        outputs = about$outputParameterDefinitions, operation_id = about$operationId,
        swagger = paste0(state$endpoint, private$path("swagger.json"))
      )
    },
    consume = function(...) {
      private$result(send_json("POST", private$path(), private$inputs(list(...))))
    },
    swagger = function(json = TRUE) {
      text <- utf8(send("GET", private$path("swagger.json")))
      if (json) text else jsonlite::parse_json(text)
    },
    batch = function(records, parallelCount = 10) {
      if (is.data.frame(records)) records <- lapply(seq_len(nrow(records)), function(row) as.list(records[row, , drop = FALSE]))
      calls <- lapply(records, function(record) private$inputs(as.list(record)))
      start <- function() {
        send_json("POST", paste0(private$path("batch"), "?parallelCount=", as_json(parallelCount, TRUE)), array_of(calls))$batchExecutionId
      }
      Batch$new(private$path, private$result, start = start)
    },
    getBatch = function(id) Batch$new(private$path, private$result, id = id),
    getBatchExecutions = function() as.character(unlist(send_json("GET", private$path("batch"))))
  ),
  private = list(
    described = NULL,
    path = function(...) paste0("/api", encoded(private$described$name, private$described$version, ...)),
    # Inputs as JSON: those without a name are, in order, those that no other is named.
    inputs = function(given) {
      names <- vapply(private$described$inputParameterDefinitions, function(one) one$name, "")
      if (length(given) > length(names)) {
        told <- if (length(names) == 0L) "no inputs" else paste0("these inputs: ", paste(names, collapse = ", "))
        fail("offshoot_invalid", "The service takes ", told, ".")
      }
      if (is.null(names(given))) names(given) <- rep("", length(given))
      is_nameless <- names(given) == ""
      names(given)[is_nameless] <- setdiff(names, names(given))[seq_len(sum(is_nameless))]
      members(lapply(given, encode_value))
    },
    result = function(result) {
      kinds <- types_by_name(private$described$outputParameterDefinitions)
      outputs <- result$outputParameters
      result$outputParameters <- lapply(structure(names(outputs), names = names(outputs)), function(name) {
        decode_value(outputs[[name]], if (is.null(kinds[[name]])) "" else kinds[[name]])
      })
      result$changedFiles <- as.character(unlist(result$changedFiles))
      known <- c("success", "errorMessage", "outputParameters", "consoleOutput", "changedFiles", "outputFiles")
      structure(result[intersect(known, names(result))], class = "serviceResult")
    }
  )
)

# A batch of calls, which count from 1. `STATE` names the states in which it is over.
Batch <- R6Class("Batch",
  cloneable = FALSE,
  public = list(
    STATE = list(complete = "complete", failed = "failed"),
    initialize = function(path, result, id = NULL, start = NULL) {
      private$path <- path
      private$result <- result
      private$identity <- id
      private$begin <- start
    },
    start = function() {
      if (is.null(private$identity)) private$identity <- private$begin()
      invisible(self)
    },
    id = function() private$identity,
    cancel = function() {
      send("DELETE", private$at())
      invisible(TRUE)
    },
    results = function(showPartialResult = TRUE) {
      told <- send_json("GET", paste0(private$at(), "?showPartialResults=", tolower(showPartialResult)))
      calls <- lapply(told$batchExecutionResults, private$result)
      list(
        state = told$state, totalItemCount = told$totalItemCount, completedItemCount = told$completedItemCount,
        execution = function(index) calls[[index]]
      )
    },
    listArtifacts = function(index) as.character(unlist(send_json("GET", private$at(private$call(index), "files")))),
    artifact = function(index, fileName) send("GET", private$at(private$call(index), "files", fileName)),
    download = function(index, fileName, destination = getwd()) {
      file <- if (dir.exists(destination)) file.path(destination, basename(fileName)) else destination
      send("GET", private$at(private$call(index), "files", fileName), into = file)
      invisible(file)
    },
    print = function(...) {
      cat("<batch", if (is.null(private$identity)) "that $start() starts" else private$identity)
      cat(">\n")
      invisible(self)
    }
  ),
  private = list(
    path = NULL, result = NULL, identity = NULL, begin = NULL,
    at = function(...) {
      if (is.null(private$identity)) fail("offshoot_invalid", "The batch has not begun: $start() starts it.")
      private$path("batch", private$identity, ...)
    },
    # A call as the interface counts it, from 0.
    call = function(index) format(index - 1, scientific = FALSE)
  )
)

#' The result of a call of a service
#'
#' A list with `success`, `errorMessage`, `outputParameters`, `consoleOutput` and `changedFiles`. `$output("name")` gives one
#' output, and `$artifact("name")` the bytes of a file that the service has written.
#'
#' @param x a result.
#' @param name a member.
#' @param i which members.
#' @param ... ignored.
#' @return the member, or a list of members.
#' @seealso [getService()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), session = FALSE)
#' double <- publishService("double", "y <- 2 * x", v = "1.0",
#'   inputs = list(x = "numeric"), outputs = list(y = "numeric"))
#' result <- double$consume(21)
#' result$success
#' result$output("y")
#' deleteService("double", "1.0")
#' remoteLogout()
#' @name serviceResult
NULL

#' @rdname serviceResult
#' @export
`$.serviceResult` <- function(x, name) {
  members <- unclass(x)
  switch(name,
    output = function(name) members$outputParameters[[name]],
    artifact = function(name) if (!is.null(members$outputFiles[[name]])) jsonlite::base64_dec(members$outputFiles[[name]]),
    members[[name]])
}

#' @rdname serviceResult
#' @export
`[.serviceResult` <- function(x, i) unclass(x)[i]

#' @rdname serviceResult
#' @export
print.serviceResult <- function(x, ...) {
  if (!isTRUE(x$success)) cat("Error: ", x$errorMessage, "\n", sep = "")
  if (isTRUE(nzchar(x$consoleOutput))) cat(x$consoleOutput)
  for (name in names(x$outputParameters)) {
    cat("$", name, "\n", sep = "")
    print(x$outputParameters[[name]])
  }
  if (length(x$outputFiles) > 0L) cat("files: ", paste(names(x$outputFiles), collapse = ", "), "\n", sep = "")
  invisible(x)
}
