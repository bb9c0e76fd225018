library(mrsdeploy)
# The server and the credentials of the examples are those of this test.
server <- Sys.getenv("OFFSHOOT_SERVER")
remoteLogin <- function(deployr_endpoint, ...) mrsdeploy::remoteLogin(server, ..., username = Sys.getenv("OFFSHOOT_USER"), password = Sys.getenv("OFFSHOOT_PASSWORD"))
remoteLoginAAD <- function(deployr_endpoint, authuri, ...) mrsdeploy::remoteLoginAAD(server, authuri = Sys.getenv("TOKENS_FROM"), ..., username = "ada@example.org", password = "secret & more")

#authenticate against Microsoft R Server
remoteLogin("https://localhost:12800", session=TRUE, diff=TRUE, commandline=TRUE)
exit

#authenticate against the R Server using Azure Active Directory
remoteLoginAAD("http://localhost:12800",
                   authuri = "https://login.windows.net",
                   tenantid = "myMRSServer.contoso.com",
                   clientid = "00000000-0000-0000-0000-000000000000",
                   resource = "00000000-0000-0000-0000-000000000000",
                   session=TRUE,
                   diff=TRUE,
                   commandline=TRUE)

#execute some R commands on the remote session
x<-rnorm(1000)
hist(x)

pause()  #switches the user to the local R session
resume()  

exit  #logout and terminate the remote R session
remoteLogout()  

remoteLogin("https://localhost:12800", session=TRUE, diff=FALSE, commandline=TRUE)
#install a package for the life of the session
install.packages("bitops")

#switch to the local R session
pause()
#execute an R script remotely
remoteScript("c/myScript.R")    

#execute a script remotely that generated 2 R objects we are interested in retrieving
remoteExecute("C:/myScript.R")
#retrieve the R objects from the remote R session and load them into our local R session
getRemoteObject(c("model","out"))

data <- data.frame(measured = 1:3)
#an R script depends upon an R object named `data` to be available. Move the local
#instance of `data` to the remote R session
putLocalObject("data")
#execute an R script remotely
remoteScript("c/myScript2.R")

#push a data file to the remote R session
putLocalFile("C:/data/survey.csv")
#execute an R script remotely
remoteScript("c/myScript2.R")

resume()
library(ggplot2)
mtcarsmelt <- data.frame(value = unlist(mtcars[1:3]), variable = rep(names(mtcars)[1:3], each = nrow(mtcars)), am = mtcars$am)
png(filename="myplot.png", width=1440, height=900);ggplot(aes(x=value, group=am, colour=factor(am)), data=mtcarsmelt) + geom_density() + facet_wrap(~variable, scales="free");dev.off()
pause()

unlink("myplot.png")
#From the local command prompt, execute your remote script
remote_script("myscript.R")

resume()
#configure our remote session
install.packages(c("arules","bitops","caTools"))
pause()
putLocalFile("C:/data/survey_reference.csv")
putLocalObject("model")
snapshot_id<-createSnapshot("my modeling environment")

#whenever I need the modeling environment, reload the snapshot
loadSnapshot(snapshot_id)  
#execute an R script remotely
remoteScript("c/myScript2.R")
diffLocalRemote()
stopifnot(
  file.exists("unnamedplot001.png"), identical(dim(png::readPNG("myplot.png"))[2:1], c(1440L, 900L)), inherits(model, "lm"), out == 42,
  setequal(listRemoteFiles(), c("myplot.png", "survey.csv", "survey_reference.csv")),
  remote({ library(arules); library(caTools); library(bitops); exists("model") && identical(data$measured, 1:3) })
)
remote_logout()
cat("all has run\n")
