"""Has the knowledge moved, and is that reason enough to retrain?"""
