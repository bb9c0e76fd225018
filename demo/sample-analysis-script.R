##The inputs to this R script are "myFile=URL to csv file
##dependent=name of column in csv file that will be the dependent variable in the regression
##independent=name of column in csv file that will the independent variable in the regression

df<-read.csv(myFile)
myformula<-formula(paste("df$",dependent,"~","df$",independent))
print(myformula)
lm1<-lm(myformula)
plot(lm1)
