python main.py --create-config
