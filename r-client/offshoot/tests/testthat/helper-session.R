# Tests that need a server are skipped without one. OFFSHOOT_SERVER is its address; OFFSHOOT_USER and OFFSHOOT_PASSWORD, or
# OFFSHOOT_TOKEN, are for the login.

skip_without_server <- function() skip_if_not(nzchar(Sys.getenv("OFFSHOOT_SERVER")), "OFFSHOOT_SERVER names a server")

login <- function(session = TRUE, token = NULL) {
  known <- function(name) if (is.null(token) && nzchar(Sys.getenv(name))) Sys.getenv(name)
  remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), session, diff = FALSE, commandline = FALSE, username = known("OFFSHOOT_USER"),
    password = known("OFFSHOOT_PASSWORD"), token = token)
}

# Evaluates code with a session of its own, and in an empty folder.
with_session <- function(code) {
  skip_without_server()
  folder <- tempfile("work")
  dir.create(folder)
  before <- setwd(folder)
  on.exit({
    remoteLogout()
    setwd(before)
    unlink(folder, recursive = TRUE)
  })
  login()
  force(code)
}

# What code prints, with the code's value invisible.
printed <- function(code) paste(capture.output(invisible(code)), collapse = "\n")
