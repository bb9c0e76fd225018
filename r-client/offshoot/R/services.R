# Web services: published from here, changed, and found.

#' Publish a web service
#'
#' Makes a web service of R code, which anybody with a login can call. `publishService()` makes a version of it,
#' `updateService()` changes one, of which it leaves as it is what is not given.
#'
#' The code is a function, whose arguments are the inputs and whose value is the only output; or text or a file, in which the
#' inputs are objects that are there already, and the outputs objects that are there at the end. A function is published without
#' its surroundings: what else it needs is the `model`, or in the `snapshot`.
#'
#' @param name,v the name and the version. Without a version, the server makes one that nobody else sees.
#' @param code a function, R code as text, or the path of a file of R code.
#' @param model an object that the code uses, by the name that it has here (`model`, if it is no variable here); or the path of a
#'   file of R data (`.RData`), or of R code (`.R`) that makes objects.
#' @param snapshot the identity of a snapshot in which the code runs.
#' @param inputs,outputs named lists of types: `"logical"`, `"numeric"`, `"integer"`, `"character"`, `"vector"`, `"matrix"`,
#'   `"data.frame"`.
#' @param alias what the operation is called: the name of a function, or else `"consume"`, unless set.
#' @param destination is there for scripts that name it.
#' @param descr what the service does.
#' @param artifacts names of files that the code writes, and that come with the result.
#' @param serviceType `"Script"`; there are no others.
#' @return a service: see [getService()].
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), session = FALSE)
#' cars_model <- glm(am ~ hp + wt, binomial, mtcars)
#' manual <- function(hp, wt) predict(cars_model, data.frame(hp, wt), type = "response")
#' service <- publishService("manual", manual, model = cars_model, v = "1.0",
#'   inputs = list(hp = "numeric", wt = "numeric"), outputs = list(answer = "numeric"))
#' service$manual(120, 2.8)$output("answer")
#' service$consume(wt = 3.4, hp = 150)$output("answer")
#' deleteService("manual", "1.0")
#' remoteLogout()
#' @export
publishService <- function(name, code, model = NULL, snapshot = NULL, inputs = list(), outputs = list(), v = character(0),
                           alias = NULL, destination = NULL, descr = NULL, artifacts = c(), serviceType = "Script") {
  require_login()
  if (!identical(serviceType, "Script")) fail("offshoot_invalid", "serviceType has to be \"Script\".")
  if (is.null(alias) && is.function(code)) alias <- name_of(substitute(code))
  definition <- definition_of(code, inputs, outputs, artifacts, alias, descr)
  published <- with_model(model, name_of(substitute(model), "model"), snapshot, definition, function(definition) {
    send_json("POST", service_path(name, v), members(definition))
  })
  getService(name, curl::curl_unescape(sub(".*/", "", published)))
}

#' @rdname publishService
#' @export
updateService <- function(name, v, code = NULL, model = NULL, snapshot = NULL, inputs = NULL, outputs = NULL, alias = NULL,
                          destination = NULL, descr = NULL, artifacts = NULL) {
  require_login()
  declared <- function(given, field) {
    if (!is.null(given) || !is.function(code)) return(given)
    types_by_name(described(name, v)[[field]])
  }
  inputs <- declared(inputs, "inputParameterDefinitions")
  outputs <- declared(outputs, "outputParameterDefinitions")
  definition <- definition_of(code, inputs, outputs, artifacts, alias, descr)
  with_model(model, name_of(substitute(model), "model"), snapshot, definition, function(definition) {
    send_json("PATCH", service_path(name, v), members(definition))
  })
  getService(name, v)
}

#' Web services that are there
#'
#' A service that `getService()` returns has these functions:
#' * `$consume(...)`, which is also there under the name of the operation: calls it, with inputs by position or by name. Of the
#'   result, `$output("name")` is one output, `$outputParameters` are all, and `$artifact("name")` are the bytes of a file.
#' * `$batch(records, parallelCount)`: a batch, which calls it for each row of a data frame, or for each of a list of lists of
#'   inputs; `$getBatch(id)` and `$getBatchExecutions()` find those that were started. A batch has `$start()`, `$id()`,
#'   `$results()`, `$cancel()`, `$listArtifacts(i)`, `$artifact(i, name)` and `$download(i, name, destination)`; calls count from 1.
#' * `$capabilities()`: what there is to know about it; `$swagger()`: its description for programs.
#'
#' @param name,v the name and the version; the newest version if there is none.
#' @param destination is there for scripts that name it.
#' @return `getService()` gives a service, `listServices()` a list of lists with what is known of each, `deleteService()` a
#'   sentence.
#' @seealso [publishService()], with an example
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), session = FALSE)
#' double <- publishService("double", "y <- 2 * x", v = "1.0",
#'   inputs = list(x = "numeric"), outputs = list(y = "numeric"))
#' listServices("double")[[1]]$version
#' getService("double")$consume(21)$output("y")
#' batch <- double$batch(data.frame(x = 1:3))
#' batch$start()
#' while (batch$results()$state != "complete") Sys.sleep(0.1)
#' vapply(1:3, function(i) batch$results()$execution(i)$output("y"), 0)
#' deleteService("double", "1.0")
#' remoteLogout()
#' @export
getService <- function(name, v = character(0), destination = NULL) Service$new(described(one_text(name, "A service"), v))

#' @rdname getService
#' @export
listServices <- function(name = character(0), v = character(0)) send_json("GET", service_path(name, v))

#' @rdname getService
#' @export
deleteService <- function(name, v) send_json("DELETE", service_path(one_text(name, "A service"), v))

#' Options of services
#'
#' `base_dir`, also called `data-dir`, is the folder in which files of code and models are looked for.
#'
#' @return an object with `$get(name)`, where no name stands for all, and `$set(name, value)`.
#' @seealso [publishService()]
#' @examples
#' serviceOption()$set("base_dir", tempdir())
#' serviceOption()$get("data-dir") == tempdir()
#' serviceOption()$set("base_dir", NULL)
#' @export
serviceOption <- function() {
  canonical <- function(name) if (name == "data-dir") "base_dir" else name
  list(
    get = function(name = NULL) if (is.null(name)) state$options else state$options[[canonical(name)]],
    set = function(name, value) {
      state$options[canonical(name)] <- list(value)
      invisible(value)
    }
  )
}

state$options <- list(base_dir = NULL)

service_path <- function(name, v) paste0("/services", if (length(name) > 0L) encoded(name, if (length(v) > 0L) v))

# What is known of a service; of several versions, the newest comes last.
described <- function(name, v) {
  found <- listServices(name, v)
  if (length(found) == 0L) fail("offshoot_not_found", "There is no service ", sQuote(name, FALSE), ".")
  found[[length(found)]]
}

# The name under which the caller has an object.
name_of <- function(expression, otherwise = NULL) if (is.name(expression)) as.character(expression) else otherwise

TYPES <- c("logical", "numeric", "integer", "character", "vector", "matrix", "data.frame")

# The members of the request that publishes or changes a service, as JSON.
definition_of <- function(code, inputs, outputs, artifacts, alias, descr) {
  definition <- list()
  if (!is.null(code)) definition$code <- as_json(service_code(code, inputs, outputs), TRUE)
  if (!is.null(inputs)) definition$inputParameterDefinitions <- types_of(inputs)
  if (!is.null(outputs)) definition$outputParameterDefinitions <- types_of(outputs)
  if (!is.null(artifacts)) definition$outputFileNames <- array_of(vapply(artifacts, as_json, "", unbox = TRUE))
  if (!is.null(alias)) definition$operationId <- as_json(alias, TRUE)
  if (!is.null(descr)) definition$description <- as_json(descr, TRUE)
  definition
}

# The code of a service as text; a function is called with the inputs, and its value is the output.
service_code <- function(code, inputs, outputs) {
  if (!is.function(code)) {
    text <- code_of(in_folder(code), FALSE)
    # Code that is only the name of a file is hardly meant.
    if (grepl("^[[:alnum:]_./\\\\:~-]+[.][Rr]$", text)) fail("offshoot_invalid", "There is no file \"", text, "\".")
    return(text)
  }
  if (length(outputs) > 1L) fail("offshoot_invalid", "A function has one output, and not ", length(outputs), ".")
  quoted <- vapply(names(inputs), function(name) paste(deparse(as.name(name), backtick = TRUE), collapse = ""), "")
  call <- paste0("(", paste(deparse(code), collapse = "\n"), ")(", paste0(quoted, " = ", quoted, collapse = ", ", recycle0 = TRUE), ")")
  if (length(outputs) == 0L) call else paste0(deparse(as.name(names(outputs)), backtick = TRUE), " <- ", call)
}

types_of <- function(parameters) {
  is_type <- vapply(parameters, function(type) is.character(type) && length(type) == 1L, NA)
  if (!all(is_type) || !has_names(parameters)) {
    fail("offshoot_invalid", "inputs and outputs are lists of types by name, such as list(x = \"numeric\").")
  }
  types <- vapply(parameters, as.character, "")
  unknown <- setdiff(types, TYPES)
  if (length(unknown) > 0L) {
    fail("offshoot_invalid", "The type ", sQuote(unknown[[1L]], FALSE), " is none of ", paste(TYPES, collapse = ", "), ".")
  }
  array_of(sprintf("{\"name\":%s,\"type\":\"%s\"}", vapply(names(parameters), as_json, "", unbox = TRUE), types))
}

# The types of declared parameters, as they are given when a service is published.
types_by_name <- function(declared) structure(lapply(declared, function(one) one$type), names = vapply(declared, function(one) one$name, ""))

# A file, which is in the folder of the options if it is not here.
in_folder <- function(file) {
  folder <- state$options$base_dir
  if (is.null(folder) || length(file) != 1L || file.exists(file) || !file.exists(file.path(folder, file))) file else file.path(folder, file)
}

# Publishes a definition with the snapshot that is given, or with one that also has the model. That one is gone afterwards, and
# the service keeps what was in it.
with_model <- function(model, name, snapshot, definition, publish) {
  used <- if (!is.null(snapshot)) snapshot_of(snapshot)
  if (!is.null(model)) {
    used <- model_snapshot(objects_of(model, name), used)
    # The service is published already.
    on.exit(quietly(deleteSnapshot(used)))
  }
  if (!is.null(used)) definition$snapshotId <- as_json(used, TRUE)
  publish(definition)
}

# The identity of a snapshot with these objects, made in a session that is there for this only.
model_snapshot <- function(objects, snapshot) {
  before <- state$session
  state$session <- send_json("POST", "/sessions", if (is.null(snapshot)) "{}" else list(snapshotId = snapshot))$sessionId
  on.exit({
    quietly(send("DELETE", session_path()))
    state$session <- before
  })
  for (object in names(objects)) put_object(object, objects[[object]])
  createSnapshot()$snapshotId
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
