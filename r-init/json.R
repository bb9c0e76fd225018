# What R has to be asked while a value is written as JSON by the rules of package jsonlite (src/wire/jsonlite).
# Each question is a function of the value, and calls what jsonlite calls.

# The answer in a list, or NULL when the question fails. The first `passed` classes have been tried, and are gone;
# those of an environment stay as they are, since it is no copy that would lose them.
json_answer <- function(question, value, passed) {
  tryCatch({
    if (passed > 0L && !is.environment(value)) value <- structure(value, class = class(value)[-seq_len(passed)])
    list(question(value))
  }, error = function(condition) NULL)
}

json_text <- as.character

json_format <- function(value) {
  if (inherits(value, "Date")) format(value) else format(value, format = "")
}

json_moments <- as.POSIXct

json_time_of_day <- function(value) {
  text <- as.character(value)
  text[is.na(value)] <- NA
  text
}

json_hexadecimal <- as.character.hexmode

json_complex <- function(value) prettyNum(value, digits = 8)

json_deparse <- function(value) deparse(value)

json_deparse_call <- function(value) deparse(unclass(value))

json_deparse_first <- function(value) deparse(value[[1L]])

json_list <- function(value) {
  if (is.function(value)) as.list(value) else as.vector(value, mode = "list")
}

json_row_names <- function(value) {
  value[["_row"]] <- attr(value, "row.names")
  value
}

json_slots <- function(value) {
  names <- methods::slotNames(value)
  slots <- attributes(value)
  if (".Data" %in% names) slots[[".Data"]] <- value@.Data
  structure(slots[names], names = names)
}

json_class_slots <- function(value) attributes(value)$slots

json_s4_class <- function(value) {
  class <- class(value)
  c(class = class, package = attr(class, "package"))
}

json_namespace <- function(value) if (isNamespace(value)) getNamespaceInfo(value, "spec")

json_serialized <- function(value) serialize(unclass(value), NULL)

# The classes that a class extends, the nearest first; S3 classes have some when they are registered.
json_superclasses <- function(class) {
  tryCatch(names(methods::getClassDef(class)@contains), error = function(condition) NULL)
}

# Spatial features as GeoJSON has them: a geometry is its kind and its coordinates.
json_geometry <- function(value) lapply(unclass(value), json_feature)

json_feature <- function(feature) {
  kinds <- c(
    "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection",
    "CircularString", "CompoundCurve", "CurvePolygon", "MultiCurve", "MultiSurface", "Curve", "Surface",
    "PolyhedralSurface", "TIN", "Triangle"
  )
  kind <- kinds[match(class(feature)[2L], toupper(kinds))]
  kind <- structure(kind, class = c("scalar", "character"))
  if (inherits(feature, "GEOMETRYCOLLECTION")) {
    list(type = kind, geometries = lapply(feature, json_feature))
  } else {
    list(type = kind, coordinates = unclass(feature))
  }
}
