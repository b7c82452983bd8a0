python main.py --check-system
