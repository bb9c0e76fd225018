library(testthat)
library(offshoot)

test_check("offshoot")
