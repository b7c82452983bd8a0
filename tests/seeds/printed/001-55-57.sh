python main.py --debug
