"""What is judged how, and which repair follows: pure, with the time as an argument."""
