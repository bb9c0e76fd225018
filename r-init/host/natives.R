# What an interactive R asks and tells its client (src/r/natives.rs). In a session without a client, these are errors.

host_call <- function(...) {
  answer <- .Call(host_routine, list(...))
  if (inherits(answer, "host_error")) stop(unclass(answer), call. = FALSE)
  answer
}

host_notify <- function(kind, ...) invisible(host_call(kind, ...))

host_ask <- function(kind, ...) host_call(kind, ...)

# A page of a device, as the bytes of its PNG.
host_plot <- function(device, page, path, number, active, count, picture) {
  invisible(host_call("plot", device, page, path, as.double(number), as.double(active), as.double(count), picture))
}

host_blob_create <- function(bytes) host_call("blob_create", bytes)

host_blob_get <- function(id) host_call("blob_get", as.double(id))

host_blob_size <- function(id) host_call("blob_size", as.double(id))

host_blob_destroy <- function(ids) invisible(host_call("blob_destroy", as.double(ids)))

# JSON by the rules of src/wire/terse.rs.
host_json <- function(value) host_call("json", value)

# Whether an object is a promise that nobody has evaluated yet.
host_promise <- function(environment, name) host_call("promise", environment, name)

# The code of an object that is a promise; NULL for other objects. In the workspace, substitute() does not tell it.
host_promise_code <- function(environment, name) host_call("promise_code", environment, name)

# Has R stop in its browser before each statement that is evaluated in an environment, or no longer. Returns whether it did.
host_debug <- function(environment, stop = TRUE) invisible(host_call("debug", environment, stop))
