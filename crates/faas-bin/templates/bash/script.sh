# Runs from top to bottom for each call. The call's data is JSON in FAAS_INPUT.
echo "Hello! You sent ${FAAS_INPUT:-nothing}"
