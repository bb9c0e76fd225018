##The inputs to this script are "df", "x" and "y".

myformula<-formula(paste(x,"~",y))
print(myformula)
lm1<-lm(myformula)
plot(lm1)
