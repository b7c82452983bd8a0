# Watch database
watch -n 1 'sqlite3 faas_meta.db "SELECT k,substr(v,1,60) FROM functions;"'

# Watch logs
# Gateway and workers output to stdout
