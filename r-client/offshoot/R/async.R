# Code that runs in the remote session while this R is free.

# The handle of such code. R runs one thing at a time, so the answer is received when the handle is asked.
RemoteRun <- R6Class("RemoteRun",
  cloneable = FALSE,
  public = list(
    initialize = function(code, inputs, outputs, finish, close) {
      private$begin <- function() begin_run(code, inputs, outputs)
      private$finish <- finish
      private$close <- close
      private$run <- private$begin()
      private$send()
    },
    done = function() {
      drive(private$run, 0)
      if (refresh_for(private$run)) {
        private$run <- private$begin()
        private$send()
      }
      !is_running(private$run)
    },
    output = function() {
      if (!is.null(private$result)) return(private$result$consoleOutput)
      private$require_its_session()
      send_json("GET", session_path("console-output"))$consoleOutput
    },
    wait = function(timeout = Inf) {
      begun <- Sys.time()
      while (!self$done()) {
        left <- timeout - seconds_since(begun)
        if (left <= 0) return(invisible(NULL))
        drive(private$run, min(left, 0.05))
      }
      if (is.null(private$result)) {
        result <- result_of(private$run)
        private$result <- private$finish(result)
        if (private$close && identical(state$session, private$run$session)) remoteLogout()
      }
      invisible(private$result)
    },
    cancel = function() {
      # The first may come before the code has begun there, and stop nothing.
      pause <- 0.25
      while (!self$done()) {
        private$require_its_session()
        cancel_run()
        self$wait(pause)
        pause <- 2 * pause
      }
      self$wait()
    },
    print = function(...) {
      cat("<remote run: ", if (self$done()) "has ended, $wait() gives the result" else "runs since ", sep = "")
      if (!self$done()) cat(format(private$run$begun, "%H:%M:%S"), ", $wait() waits for the result", sep = "")
      cat(">\n")
      invisible(self)
    }
  ),
  private = list(begin = NULL, run = NULL, finish = NULL, close = NULL, result = NULL,
    # The code runs there when all of it has been sent.
    send = function() {
      run <- private$run
      while (!run$is_sent && is_running(run)) drive(run, 0.1, function() run$is_sent)
    },
    # What stops code, or asks for its output, asks the session of now.
    require_its_session = function() {
      its <- private$run$session
      if (!identical(state$session, its)) {
        fail("offshoot_no_session", "The code runs in another session: remoteLogin(session = \"", its, "\") leads to it.")
      }
    }
  )
)
