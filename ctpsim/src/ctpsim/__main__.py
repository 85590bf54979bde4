from ctpsim.cli import app

app()
