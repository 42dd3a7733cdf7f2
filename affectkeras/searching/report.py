def write_search_report(folder):
    pass
