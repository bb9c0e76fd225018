test_that("without a login, or a session, functions say what to do", {
  expect_error(remoteExecute("1"), "remoteLogin", class = "offshoot_no_login")
  expect_error(listServices(), "remoteLogin", class = "offshoot_no_login")
  expect_error(publishService("a", "1"), "remoteLogin", class = "offshoot_no_login")
  expect_message(pause(), "local R already")
  skip_without_server()
  login(session = FALSE)
  expect_error(remoteExecute("1"), "session = TRUE", class = "offshoot_no_session")
  expect_error(resume(), "session = TRUE", class = "offshoot_no_session")
  expect_type(listServices(), "list")
  remoteLogout()
})

test_that("an address that is none, or where nobody is, is an error", {
  expect_error(remoteLogin("localhost:12800"), "http://localhost:12800", class = "offshoot_invalid")
  expect_error(remoteLogin("http://127.0.0.1:1", username = "a", password = "b"), "cannot be reached", class = "offshoot_unreachable")
  expect_error(listServices(), class = "offshoot_no_login")
  expect_error(remoteLogin("http://127.0.0.1:1", username = "a"), "Nobody is there to be asked", class = "offshoot_invalid")
})

test_that("a wrong password or token is refused, and nothing is left of it", {
  skip_without_server()
  server <- Sys.getenv("OFFSHOOT_SERVER")
  expect_error(remoteLogin(server, username = "nobody", password = "wrong"), "401", class = "offshoot_unauthorized")
  for (session in c(TRUE, FALSE)) expect_error(login(session, token = "wrong"), "401", class = "offshoot_unauthorized")
  expect_error(listServices(), class = "offshoot_no_login")
})

test_that("a password in the clear is warned of once, and not on this machine", {
  unknown <- "http://offshoot.invalid:12800"
  expect_warning(try(remoteLogin(unknown, username = "a", password = "b"), silent = TRUE), "in the clear")
  expect_no_warning(try(remoteLogin(unknown, username = "a", password = "b"), silent = TRUE))
  expect_no_warning(try(remoteLogin("http://localhost:1", username = "a", password = "b"), silent = TRUE))
})

test_that("a session is found again by its identity", {
  with_session({
    remoteExecute("x <- 42")
    mine <- state$session
    expect_true(mine %in% remoteSessions()$id)
    expect_message(login(session = mine), "goes on without you")
    expect_identical(remote(x), 42)
    expect_error(suppressMessages(login(session = "00000000-0000-4000-8000-000000000000")), class = "offshoot_not_found")
    login(session = mine)
  })
})

test_that("a session that has ended says why", {
  with_session({
    expect_error(remoteExecute("q(status = 3)"), "status 3.*remoteLogin", class = "offshoot_gone")
    expect_error(remoteExecute("1"), class = "offshoot_no_session")
  })
})

test_that("an access token that has run out is replaced", {
  skip_without_server()
  with_session({
    skip_if(is.null(state$tokens$refresh_token), "a login by a token has no refresh token")
    state$tokens$access_token <- "old"
    expect_identical(remote(6 * 7), 42)
    state$tokens$access_token <- "old"
    expect_identical(remoteExecute("x <- 1", outputs = "x")$outputParameters$x, 1L)
  })
})

test_that("what was declared for Azure is needed", {
  expect_error(remoteLoginAAD("http://localhost:12800"), "authuri, tenantid and clientid", class = "offshoot_invalid")
  expect_error(
    remoteLoginAAD("http://localhost:12800", "http://127.0.0.1:1", "tenant", "client", username = "a", password = "b"),
    class = "offshoot_unreachable"
  )
})

test_that("an address that is not one text, and a session that the server has forgotten, are told", {
  for (address in list(NULL, c("http://a", "http://b"), 5)) expect_error(remoteLogin(address), class = "offshoot_invalid")
  with_session({
    state$session <- "00000000-0000-4000-8000-000000000000"
    expect_error(remoteExecute("1"), "remoteLogin", class = "offshoot_gone")
    expect_null(state$session)
  })
})

test_that("hosts that the environment has without a proxy stay so", {
  before <- Sys.getenv(c("no_proxy", "NO_PROXY"), NA, names = TRUE)
  on.exit({
    Sys.unsetenv(names(before))
    if (any(!is.na(before))) do.call(Sys.setenv, as.list(before[!is.na(before)]))
  })
  Sys.setenv(no_proxy = "example.org", NO_PROXY = "")
  expect_identical(no_proxy(), "localhost,127.0.0.1,::1,example.org")
  Sys.setenv(no_proxy = "*")
  expect_identical(no_proxy(), "*")
})

test_that("there is no prompt in a file that is read as a whole", {
  file <- tempfile(fileext = ".R")
  on.exit(unlink(file))
  writeLines("found <- offshoot:::has_prompt()", file)
  where <- new.env()
  base::source(file, local = where)
  expect_false(where$found)
  sys.source(file, where)
  expect_false(where$found)
})
