# The version of these functions, which clients compare with the one that they know.
version <- 1
