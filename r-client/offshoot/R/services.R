# Web services: published from here, and called.

TYPES <- c("logical", "numeric", "integer", "character", "vector", "matrix", "data.frame")

state$options <- list("data-dir" = NULL, base_dir = NULL)

#' Options of services
#'
#' `base_dir`, also called `data-dir`, is the folder in which files of code and models are looked for.
#'
#' @return an object with `get()` and `set()`.
serviceOption <- function() {
  canonical <- function(name) if (name == "data-dir") "base_dir" else name
  list(
    get = function(name = NULL) if (is.null(name)) state$options else state$options[[canonical(name)]],
    set = function(name, value) {
      state$options[[canonical(name)]] <- value
      invisible(value)
    }
  )
}

#' Publish a web service, and change one
#'
#' @param name,v the name and the version; without a version, the server makes one that nobody else sees.
#' @param code a function, R code as text, or the path of a file with R code.
#' @param model an object that the code uses, by the name that it has here; or the path of a file of R data or of R code.
#' @param snapshot the identity of a snapshot that the service runs in.
#' @param inputs,outputs named lists of types: logical, numeric, integer, character, vector, matrix, data.frame.
#' @param artifacts names of files that the code writes, and that come with the result.
#' @param alias what the service is called; "consume" unless set.
#' @param destination ignored.
#' @param descr what the service does.
#' @return an object that calls the service.
publishService <- function(name, code, model = NULL, snapshot = NULL, inputs = list(), outputs = list(), artifacts = c(),
                           v = character(0), alias = NULL, destination = NULL, descr = NULL) {
  named <- object_name(substitute(code), alias)
  definition <- definition_of(code, inputs, outputs, artifacts, if (is.null(alias)) named else alias, descr)
  temporary <- model_snapshot(model, object_name(substitute(model), "model"), snapshot)
  on.exit(if (!identical(temporary, snapshot)) deleteSnapshot(temporary))
  if (!is.null(temporary)) definition$snapshotId <- as_json(snapshot_of(temporary), TRUE)
  path <- paste0("/services", encoded(name, if (length(v) > 0L) v))
  published <- send_json("POST", path, members(definition))
  version <- utils::URLdecode(sub(".*/", "", published))
  getService(name, version)
}

#' @rdname publishService
updateService <- function(name, v, code = NULL, model = NULL, snapshot = NULL, inputs = NULL, outputs = NULL, artifacts = NULL,
                          alias = NULL, destination = NULL, descr = NULL) {
  definition <- definition_of(code, inputs, outputs, artifacts, alias, descr)
  temporary <- model_snapshot(model, object_name(substitute(model), "model"), snapshot)
  on.exit(if (!identical(temporary, snapshot)) deleteSnapshot(temporary))
  if (!is.null(temporary)) definition$snapshotId <- as_json(snapshot_of(temporary), TRUE)
  send_json("PATCH", paste0("/services", encoded(name, v)), members(definition))
  getService(name, v)
}

#' Services that are there
#'
#' @inheritParams publishService
#' @return `getService()` gives an object that calls the service, the newest version unless one is named; `listServices()` a list of
#'   lists; `deleteService()` a sentence.
getService <- function(name, v = character(0), destination = NULL) {
  found <- listServices(name, v)
  if (length(found) == 0L) fail("offshoot_not_found", "There is no service \"", name, "\".")
  Service$new(found[[length(found)]])
}

#' @rdname getService
listServices <- function(name = character(0), v = character(0)) {
  send_json("GET", paste0("/services", if (length(name) > 0L) encoded(name, if (length(v) > 0L) v)))
}

#' @rdname getService
deleteService <- function(name, v) send_json("DELETE", paste0("/services", encoded(name, v)))

# The name under which the caller has an object.
object_name <- function(expression, otherwise) if (is.name(expression)) as.character(expression) else otherwise

definition_of <- function(code, inputs, outputs, artifacts, alias, descr) {
  definition <- list()
  if (is.function(code)) {
    if (length(outputs) > 1L) fail("offshoot_invalid", "A function has one output.")
    text <- paste(deparse(code), collapse = "\n")
    call <- paste0("(", text, ")(", paste0(names(inputs), " = ", names(inputs), collapse = ", "), ")")
    code <- if (length(outputs) == 1L) paste0(names(outputs), " <- ", call) else call
  } else if (!is.null(code)) {
    code <- code_of(in_folder(code), FALSE)
  }
  if (!is.null(code)) definition$code <- as_json(code, TRUE)
  if (!is.null(inputs)) definition$inputParameterDefinitions <- types_of(inputs)
  if (!is.null(outputs)) definition$outputParameterDefinitions <- types_of(outputs)
  if (!is.null(artifacts)) definition$outputFileNames <- as_json(as.character(artifacts), FALSE)
  if (!is.null(alias)) definition$operationId <- as_json(alias, TRUE)
  if (!is.null(descr)) definition$description <- as_json(descr, TRUE)
  definition
}

types_of <- function(parameters) {
  types <- vapply(parameters, as.character, "")
  unknown <- setdiff(types, TYPES)
  if (length(unknown) > 0L) {
    fail("offshoot_invalid", "The type ", sQuote(unknown[[1L]], FALSE), " is none of ", paste(TYPES, collapse = ", "), ".")
  }
  array_of(sprintf("{\"name\":%s,\"type\":\"%s\"}", vapply(names(parameters), as_json, "", unbox = TRUE), types))
}

in_folder <- function(file) {
  folder <- state$options$base_dir
  if (is.null(folder) || length(file) != 1L || file.exists(file) || !file.exists(file.path(folder, file))) file else file.path(folder, file)
}

# A snapshot with the model in it, made in a session that is there for this only; or the snapshot that was given.
model_snapshot <- function(model, name, snapshot) {
  if (is.null(model)) return(snapshot)
  require_login()
  before <- state$session
  body <- if (is.null(snapshot)) "{}" else members(list(snapshotId = as_json(snapshot_of(snapshot), TRUE)))
  state$session <- send_json("POST", "/sessions", body)$sessionId
  on.exit({
    tryCatch(send("DELETE", session_path()), offshoot_error = function(error) NULL)
    state$session <- before
  })
  for (object in names(objects <- objects_of(model, name))) put_object(object, objects[[object]])
  createSnapshot(NULL)
}

# The objects that a model is: itself, those of a file of R data, or those that a file of R code makes.
objects_of <- function(model, name) {
  is_file <- is.character(model) && length(model) == 1L && grepl("[.](RData|rda|R)$", model, ignore.case = TRUE)
  if (!is_file) return(structure(list(model), names = name))
  file <- in_folder(model)
  if (!file.exists(file)) fail("offshoot_invalid", "There is no file \"", model, "\".")
  objects <- new.env(parent = globalenv())
  if (grepl("[.]R$", file, ignore.case = TRUE)) sys.source(file, objects) else load(file, objects)
  as.list(objects, all.names = TRUE)
}

# A service that can be called. Its operation is also a method of its own name.
Service <- R6::R6Class("Service",
  lock_objects = FALSE,
  public = list(
    initialize = function(described) {
      private$described <- described
      alias <- described$operationId
      if (!is.null(alias) && nzchar(alias) && is.null(self[[alias]])) self[[alias]] <- function(...) self$consume(...)
    },
    print = function(...) {
      about <- private$described
      parameters <- function(list) paste(vapply(list, function(one) paste0(one$name, " (", one$type, ")"), ""), collapse = ", ")
      cat("Service ", about$name, ", version ", about$version, "\n", sep = "")
      if (nzchar(about$description)) cat("  ", about$description, "\n", sep = "")
      cat("  takes: ", parameters(about$inputParameterDefinitions), "\n  gives: ", parameters(about$outputParameterDefinitions), "\n", sep = "")
      cat("  call it by $", about$operationId, "(...)\n", sep = "")
      invisible(self)
    },
    capabilities = function() {
      about <- private$described
      list(
        api = private$path(), name = about$name, version = about$version, published_by = about$owner, description = about$description,
        creation_time = about$creationTime, snapshot_id = about$snapshotId, inputs = about$inputParameterDefinitions,
        outputs = about$outputParameterDefinitions, operation_id = about$operationId,
        swagger = paste0(state$endpoint, private$path(), "/swagger.json")
      )
    },
    consume = function(...) {
      result <- send_json("POST", private$path(), members(private$inputs(list(...))))
      private$result(result)
    },
    swagger = function(json = TRUE) {
      text <- utf8(send("GET", paste0(private$path(), "/swagger.json")))
      if (json) text else jsonlite::fromJSON(text, simplifyVector = FALSE)
    }
  ),
  private = list(
    described = NULL,
    path = function() paste0("/api", encoded(private$described$name, private$described$version)),
    inputs = function(given) {
      names <- vapply(private$described$inputParameterDefinitions, function(one) one$name, "")
      if (is.null(names(given))) names(given) <- rep("", length(given))
      if (length(given) > length(names)) fail("offshoot_invalid", "The service takes ", length(names), " inputs: ", paste(names, collapse = ", "), ".")
      free <- setdiff(names, names(given))
      names(given)[names(given) == ""] <- free[seq_len(sum(names(given) == ""))]
      lapply(given, encode_value)
    },
    result = function(result) {
      kinds <- private$described$outputParameterDefinitions
      kinds <- structure(lapply(kinds, function(one) one$type), names = vapply(kinds, function(one) one$name, ""))
      outputs <- result$outputParameters
      result$outputParameters <- structure(lapply(names(outputs), function(name) decode_value(outputs[[name]], kinds[[name]])), names = names(outputs))
      result$changedFiles <- as.character(unlist(result$changedFiles))
      structure(result[c("success", "errorMessage", "outputParameters", "consoleOutput", "changedFiles", "outputFiles")], class = "serviceResult")
    }
  )
)

#' The result of a call of a service
#'
#' A list with `success`, `errorMessage`, `outputParameters`, `consoleOutput` and `changedFiles`; `$output("name")` gives one output,
#' `$artifact("name")` the bytes of a file.
#'
#' @param x a result.
#' @param name a member.
#' @param ... ignored.
`$.serviceResult` <- function(x, name) {
  switch(name,
    output = function(name) unclass(x)$outputParameters[[name]],
    artifact = function(name) jsonlite::base64_dec(unclass(x)$outputFiles[[name]]),
    unclass(x)[[name]])
}

#' @rdname cash-.serviceResult
print.serviceResult <- function(x, ...) {
  told <- unclass(x)
  if (!isTRUE(told$success)) cat("Error: ", told$errorMessage, "\n", sep = "")
  if (nzchar(told$consoleOutput)) cat(told$consoleOutput)
  utils::str(told$outputParameters, give.attr = FALSE, no.list = TRUE)
  invisible(x)
}
