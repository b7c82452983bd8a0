python main.py -c faas_config.yaml
