average <- mean(numbers)
