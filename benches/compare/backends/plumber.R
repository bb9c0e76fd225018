# The routes that the suite has plumber serve. `1+1` is a route of its own, as plumber is meant to be used; what the
# suite prepares goes by /run.

#* @get /answer
function() 1 + 1

#* @parser octet
#* @post /run
function(req) {
  eval(parse(text = rawToChar(req$bodyRaw)), globalenv())
  NULL
}

#* @get /json
#* @serializer json list(digits = NA)
function(name) get(name, globalenv())

#* @get /rds
#* @serializer rds list(version = 3)
function(name) get(name, globalenv())

#* @parser octet
#* @post /json
function(req) {
  sent <- jsonlite::fromJSON(rawToChar(req$bodyRaw))
  assign("sent", if (is.list(sent)) as.data.frame(sent) else sent, globalenv())
  NULL
}

#* @parser octet
#* @post /rds
function(req) {
  assign("sent", unserialize(req$bodyRaw), globalenv())
  NULL
}

#* @serializer png list(width = 480, height = 480)
#* @get /plot
function() plot(sin(1:100), type = "b", main = "A plot")

#* @get /model
#* @serializer json list(digits = NA)
function() summary(lm(y ~ ., get("model", globalenv())))[["coefficients"]]

# The model of the service, which is fitted before the first request.
service <- glm(am ~ hp + wt, binomial, mtcars)

#* @post /predict
#* @serializer json list(digits = NA)
function(hp, wt) predict(service, data.frame(hp = hp, wt = wt), type = "response")

#* @parser octet
#* @post /file
function(req) {
  writeBin(req$bodyRaw, "file.bin")
  NULL
}

#* @serializer octet
#* @get /file
function() readBin("file.bin", "raw", file.size("file.bin"))
