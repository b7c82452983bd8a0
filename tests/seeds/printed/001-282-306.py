def handle(request):
    """
    Function handler
    
    Args:
        request: RuntimeRequest object with:
            - method: HTTP method
            - path: Request path
            - headers: Dict of headers
            - body: Request body as bytes
            - query_params: Dict of query parameters
            - get_json(): Parse body as JSON
            - get_text(): Get body as text
            - get_header(name): Get header value
    
    Returns:
        Dict that will be JSON serialized
    """
    data = request.get_json()
    
    return {
        "message": f"Hello, {data.get('name', 'World')}!",
        "timestamp": time.time(),
        "method": request.method
    }
