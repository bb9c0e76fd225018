# What the client's list of variables shows: values, and what is in them. Promises stay as they are, and active bindings are not
# run unless their values are asked for.

# The value of some code in an environment, or why it has none. `fields` are the names of what is wanted, and `repr` a function
# that makes a text of a value. The client leaves out what is between them.
eval_and_describe <- function(expression, environment, kind = NULL, fields = NULL, unused = NULL, repr = NULL) {
  value <- tryCatch(
    list(eval_aside(parse(text = expression, keep.source = FALSE, encoding = "UTF-8"), environment)),
    error = function(e) conditionMessage(e)
  )
  if (is.character(value)) return(list(expression = expression, error = value))
  describe_value(value[[1L]], expression, kind, fields, repr)
}

# Evaluates code where R may be stepping through other code, without stepping through this.
eval_aside <- function(code, environment) {
  if (is.environment(environment) && host_debug(environment, FALSE)) on.exit(host_debug(environment, TRUE))
  eval(code, environment)
}

# A list of lists with one item each: a name, with a description as that of eval_and_describe(). At most `max_count`. Whether to run
# active bindings is said by a field, or by the last argument.
describe_children <- function(expression, environment, fields = NULL, max_count = NULL, repr = NULL, evaluateActiveBindings = NULL) {
  code <- parse(text = expression, keep.source = FALSE, encoding = "UTF-8")
  if (!is.null(evaluateActiveBindings)) {
    fields <- c(setdiff(fields, "computed_value"), if (isTRUE(evaluateActiveBindings)) "computed_value")
  }
  value <- eval_aside(code, environment)
  parent <- prefix_of(expression, code)
  most <- if (is.null(max_count)) Inf else max(max_count, 0)
  children <- slots_of(value, parent, fields, repr, most)
  most <- most - length(children)
  others <- if (is.environment(value)) {
    bindings_of(value, expression, parent, fields, repr, most)
  } else {
    elements_of(value, parent, fields, repr, most)
  }
  c(children, others)
}

# Code that stands before the name of a child.
prefix_of <- function(expression, code) {
  simple <- length(code) == 1L && (is.symbol(code[[1L]]) || (is.call(code[[1L]]) && is_postfix(code[[1L]])))
  if (simple) expression else paste0("(", expression, ")")
}

is_postfix <- function(call) {
  name <- call[[1L]]
  if (!is.symbol(name)) return(TRUE)
  name <- as.character(name)
  name %in% c("$", "@", "[", "[[", "::", ":::") || make.names(name) == name
}

# Names as code has them: in backticks if need be.
as_code <- function(names) {
  special <- is.na(names) | names != make.names(names)
  names[special] <- vapply(names[special], function(name) deparse(as.name(name), backtick = TRUE), "")
  names
}

named <- function(names, values) lapply(seq_along(values), function(at) structure(values[at], names = names[[at]]))

slots_of <- function(value, parent, fields, repr, most) {
  if (!isS4(value) || is.function(value)) return(list())
  names <- utils::head(tryCatch(methods::slotNames(value), error = function(e) character()), most)
  codes <- paste0("@", as_code(names))
  named(codes, lapply(seq_along(names), function(at) {
    describe_quietly(methods::slot(value, names[[at]]), paste0(parent, codes[[at]]), "@", fields, repr)
  }))
}

# An environment of a function that runs has the names as they are.
frames <- c("base::environment()", "environment()")

bindings_of <- function(value, expression, parent, fields, repr, most) {
  names <- utils::head(ls(value, all.names = TRUE), most)
  codes <- as_code(names)
  expressions <- if (expression %in% frames) codes else paste0(parent, "$", codes)
  unevaluated <- unevaluated_promises(value, names)
  described <- named(codes, lapply(seq_along(names), function(at) {
    name <- names[[at]]
    if (name %in% unevaluated) return(with_expression(list(promise = promise_code(value, name)), expressions[[at]], fields))
    if (bindingIsActive(as.name(name), value)) return(describe_active(value, name, expressions[[at]], fields, repr))
    if (is_missing_argument(value, name)) return(NULL)
    describe_quietly(get(name, envir = value, inherits = FALSE), expressions[[at]], "$", fields, repr)
  }))
  Filter(function(child) !is.null(child[[1L]]), described)
}

# Whether a function that runs was called without that argument, and it has no default.
is_missing_argument <- function(environment, name) identical(.subset2(environment, name), quote(expr = ))

# The names of promises that nobody has evaluated.
unevaluated_promises <- function(environment, names) Filter(function(name) name == "..." || host_promise(environment, name), names)

promise_code <- function(environment, name) if (name == "...") name else deparsed(host_promise_code(environment, name))

with_expression <- function(description, expression, fields) {
  if ("expression" %in% fields) description$expression <- expression
  description
}

describe_active <- function(environment, name, expression, fields, repr) {
  description <- with_expression(list(active_binding = TRUE), expression, fields)
  if ("computed_value" %in% fields) {
    value <- tryCatch(list(get(name, envir = environment, inherits = FALSE)), error = function(e) NULL)
    if (!is.null(value)) description$computed_value <- describe_value(value[[1L]], expression, "$", fields, repr)
  }
  description
}

elements_of <- function(value, parent, fields, repr, most) {
  if (is.function(value) || is.symbol(value) || typeof(value) %in% c("externalptr", "weakref", "bytecode", "S4")) return(list())
  # The elements of a list are those that it has, whatever its class makes of `[[`.
  plain <- if (is.object(value) && !is.atomic(value)) unclass(value) else value
  elements <- if (is.language(plain) || is.pairlist(plain)) as.list(plain) else plain
  count <- min(length(elements), most)
  names <- names(elements)
  if (is.atomic(elements) && length(elements) <= 1L && is.null(names)) return(list())
  codes <- sprintf("[[%d]]", seq_len(count))
  kinds <- rep("[[", count)
  if (!is.null(names)) {
    # Of several with the same name, only the first can be found by it.
    findable <- (!is.na(names) & nzchar(names) & !duplicated(names))[seq_len(count)]
    which <- which(findable)
    if (is.atomic(elements)) {
      codes[which] <- sprintf("[[%s]]", encodeString(names[which], quote = "\""))
    } else {
      codes[which] <- paste0("$", as_code(names[which]))
      kinds[which] <- "$"
    }
  }
  expressions <- paste0(parent, codes)
  describe_all <- function(describe) {
    children <- vector("list", count)
    for (at in seq_len(count)) {
      child <- list(describe(elements[[at]], expressions[[at]], kinds[[at]]))
      names(child) <- codes[[at]]
      children[[at]] <- child
    }
    children
  }
  # Usually nothing fails, and to expect it everywhere takes long.
  tryCatch(describe_all(describer(fields, repr)), error = function(e) {
    describe_all(function(value, expression, kind) describe_quietly(value, expression, kind, fields, repr))
  })
}

describe_value <- function(value, expression, kind, fields, repr) describer(fields, repr)(value, expression, kind)

# The same of a value that may not be there.
describe_quietly <- function(value, expression, kind, fields, repr) {
  tryCatch(describe_value(value, expression, kind, fields, repr), error = function(e) {
    with_expression(list(error = conditionMessage(e)), expression, fields)
  })
}

# A function that describes values one after the other.
describer <- function(fields, repr) {
  wanted <- function(field) field %in% fields
  expression_wanted <- wanted("expression")
  kind_wanted <- wanted("kind")
  type_wanted <- wanted("type")
  classes_wanted <- wanted("classes")
  length_wanted <- wanted("length")
  slots_wanted <- wanted("slot_count")
  attributes_wanted <- wanted("attr_count")
  names_wanted <- wanted("name_count")
  dim_wanted <- wanted("dim")
  flags_wanted <- wanted("flags")
  csv_wanted <- wanted("to_csv")
  general <- function(value) {
    about <- list()
    if (type_wanted) about$type <- typeof(value)
    if (classes_wanted) about$classes <- as.list(class(value))
    # Methods of classes may fail.
    if (length_wanted) about$length <- if (is.object(value)) counted(length(value)) else length(value)
    if (slots_wanted) about$slot_count <- if (isS4(value) && !is.function(value)) counted(length(methods::slotNames(value))) else 0L
    if (attributes_wanted) about$attr_count <- length(attributes(value))
    if (names_wanted) about$name_count <- if (is.environment(value)) length(ls(value, all.names = TRUE)) else counted(length(names(value)))
    if (dim_wanted && !is.null(dim <- tryCatch(dim(value), error = function(e) NULL))) about$dim <- as.list(dim)
    if (flags_wanted) about$flags <- flags_of(value)
    if (csv_wanted) about$to_csv <- is_table(value)
    about
  }
  # Single elements of a type differ in nothing else.
  known <- list()
  function(value, expression, kind) {
    type <- typeof(value)
    if (is.null(attributes(value)) && length(value) == 1L && type %in% simple_types) {
      about <- known[[type]]
      if (is.null(about)) known[[type]] <<- about <- general(value)
    } else {
      about <- general(value)
    }
    if (!is.null(repr)) about$repr <- text_of(value, repr)
    if (expression_wanted) about$expression <- expression
    if (kind_wanted && !is.null(kind)) about$kind <- kind
    # Without names it would be an array.
    if (length(about) == 0L) structure(about, names = character()) else about
  }
}

# What `repr` cannot make a text of, such as a value whose class is broken, deparse() can.
text_of <- function(value, repr) {
  text <- tryCatch(repr(value), error = function(e) NULL)
  if (is.character(text) && length(text) == 1L) text else deparse(value, nlines = 1L)[[1L]]
}

counted <- function(count) tryCatch(if (is.numeric(count) && length(count) == 1L) count else 0L, error = function(e) 0L)

flags_of <- function(value) {
  flags <- list()
  if (is.null(value) || is.atomic(value)) flags <- list("atomic")
  if (is.recursive(value)) flags <- c(flags, "recursive")
  if (is.environment(value) && !identical(value, emptyenv()) && !identical(parent.env(value), emptyenv())) flags <- c(flags, "has_parent_env")
  flags
}

is_table <- function(value) {
  is.data.frame(value) || ((is.atomic(value) || is.list(value)) && length(dim(value)) == 2L) || (is.atomic(value) && length(value) > 1L)
}
