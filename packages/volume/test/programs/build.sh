# A C project with a static and a shared library, its dependencies found by the compiler: built, run, and built again in part.
set -eu
mkdir -p source build
python3 -c '
parts = range(24)
for i in parts:
    with open(f"source/part{i}.h", "w") as file:
        file.write(f"#pragma once\nlong part{i}(long x);\n")
    with open(f"source/part{i}.c", "w") as file:
        uses = f"#include \"part{i - 1}.h\"\n" if i % 4 else ""
        value = f"part{i - 1}(x)" if i % 4 else "x"
        file.write(f"#include \"part{i}.h\"\n{uses}#include <string.h>\n")
        file.write(f"long part{i}(long x) {{ char s[] = \"{i:03}\"; return {value} * 3 + (long) strlen(s) + {i}; }}\n")
with open("source/main.c", "w") as file:
    file.write("#include <stdio.h>\n" + "".join(f"#include \"part{i}.h\"\n" for i in parts))
    calls = " + ".join(f"part{i}({i})" for i in parts)
    file.write(f"int main(void) {{ printf(\"%ld\\n\", {calls}); return 0; }}\n")
'
cat > Makefile <<'M'
PARTS := $(patsubst source/%.c,build/%.o,$(filter-out source/main.c,$(sort $(wildcard source/*.c))))
CFLAGS := -O1 -fPIC -MMD -Wall -Werror
all: build/program build/shared
build/%.o: source/%.c ; $(CC) $(CFLAGS) -c $< -o $@
build/libparts.a: $(PARTS) ; $(AR) rcsD $@ $^
build/libparts.so: $(PARTS) ; $(CC) -shared $^ -o $@
build/program: build/main.o build/libparts.a ; $(CC) $^ -o $@
build/shared: build/main.o build/libparts.so ; $(CC) $< -Lbuild -lparts '-Wl,-rpath,$$ORIGIN' -o $@
-include $(PARTS:.o=.d) build/main.d
M
make -sj2 CC=gcc
build/program
build/shared
make -q CC=gcc
touch source/part5.h
# What includes it: part5, part6 and main.
make CC=gcc | grep -c -- ' -c '
strip build/program
build/program
cp build/program copied
./copied
