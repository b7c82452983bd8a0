UPDATE functions 
SET v='{"module":"/new/path.wasm",...}', 
    updated=strftime('%s','now') 
WHERE k='POST:/resize';
