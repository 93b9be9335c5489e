"""What there is to see, a page a module. Streamlit would take a folder named `pages` for its own."""
