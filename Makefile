# The verbs of this project. Each is a script one can read.
.PHONY: run test bench lint fuzz

run:   ; @scripts/run
test:  ; @scripts/test
bench: ; @scripts/bench
lint:  ; @scripts/lint
fuzz:  ; @scripts/fuzz
