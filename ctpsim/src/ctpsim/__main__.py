from ctpsim.cli import main

main()
