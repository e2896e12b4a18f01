"""The manual against the program and the header: every command, option, configuration key, environment variable, function, status."""
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["PN_SOURCE_DIR"])
PENNON = os.environ["PENNON"]
# "  -t, --table=DIR   ..." as argp and the rendered page both print it.
OPTION = re.compile(r"^\s+(?:(-.), )?(--[a-z][a-z-]*)(?:=(\S+))?(?=\s|$)")
faults = []


def fault(text):
    faults.append(text)


def render(page):
    """The page as plain text; a formatter's complaint is a fault."""
    path = SOURCE / "man" / page
    for command in (["groff", "-ww", "-man", "-Tascii", "-P-cbou", str(path)], ["mandoc", "-T", "lint", "-W", "warning", str(path)]):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
        said = done.stderr + (done.stdout if command[0] == "mandoc" else "")
        if done.returncode or said.strip():
            fault(f"{page}: {command[0]}: {said.strip()}")
        if command[0] == "groff":
            text = done.stdout
    return text


def options_of(lines):
    found = {}
    for line in lines:
        match = OPTION.match(line)
        if match and match.group(2) not in ("--help", "--usage", "--config"):
            found[match.group(2)] = (match.group(1) or "", match.group(3) or "")
    return found


def check_options(text):
    usage = subprocess.run([PENNON, "help"], capture_output=True, text=True, check=True).stdout
    commands = []
    for name in re.findall(r"^  (\w+) +\S", usage.split("\n\n")[1], re.M):
        told = subprocess.run([PENNON, name, "--help"], capture_output=True, text=True, check=True).stdout
        commands.append(name)
        if " SUBCOMMAND " in told.split("\n")[0]:
            commands += [f"{name} {sub}" for sub in re.findall(r"^  (\w+) +\S", told, re.M)]
    sections = re.split(r"^   (?=pennon )", text.split("\nEXIT STATUS")[0], flags=re.M)[1:]
    manual = {" ".join(re.match(r"pennon ([a-z]+(?: [a-z]+)?)", section).group(1).split()): section for section in sections}
    if sorted(manual) != sorted(commands):
        fault(f"pennon.1 has sections of {sorted(manual)}, the program has {sorted(commands)}")
    n = 0
    for command in sorted(set(commands) & set(manual)):
        told = subprocess.run([PENNON, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
        lines = manual[command].split("\n")
        program, page = options_of(told.split("\n")), options_of(lines)
        n += len(program)
        for name in sorted(set(program) | set(page)):
            if program.get(name) != page.get(name):
                fault(f"pennon {command}: {name} is {program.get(name)} in --help and {page.get(name)} in pennon.1")
        title = re.match(r"Usage: (.*?) *$", told, re.M).group(1)
        if lines[0].strip() != title:
            fault(f"pennon {command}: usage \"{title}\" is \"{lines[0].strip()}\" in pennon.1")
    print(f"{len(commands)} commands, {n} options")


def check_environment(text):
    """Every variable that the program asks for is explained. PN_FAULT and TMPDIR are asked for by tests alone."""
    asked = set()
    for path in (SOURCE / "src").rglob("*.c"):
        asked |= set(re.findall(r'(?:pn_environment|getenv)\("(\w+)"', path.read_text(encoding="utf-8")))
    keys = (SOURCE / "src" / "cli" / "config_keys.c").read_text(encoding="utf-8")
    asked |= set(re.findall(r'"(PENNON_\w+)"', keys))
    asked = {name for name in asked if name not in ("PN_FAULT", "TMPDIR")}
    section = text.split("\nENVIRONMENT")[1].split("\nFILES")[0]
    told = set(re.findall(r"\b(?:PENNON|PN|HF|XDG|ROBOFLOW|SSL)_\w+\b|\bHOME\b", section))
    if not asked or asked - told:
        fault(f"pennon.1 says nothing of {sorted(asked - told)}")
    if told - asked:
        fault(f"pennon.1 explains {sorted(told - asked)}, which the program does not ask for")
    print(f"{len(asked)} environment variables")


def keys_of_program(section):
    """What the program itself lists when a key is wrong."""
    wrong = f"{section}: {{no-such-key: 1}}" if section else "no-such-key: 1"
    done = subprocess.run([PENNON, "--config", "-", "count"], input=wrong, capture_output=True, text=True)
    return set(done.stderr.split("There are ")[1].strip().split(", "))


def check_config(text):
    """The keys of the configuration file, in pennon.1 and in the example of docs/CONFIG.md, which has all of them."""
    top = keys_of_program(None)
    sections = top & {"ingest", "import", "export", "search", "list", "serve"}
    shared = top - sections
    page = text.split("\nCONFIGURATION FILE")[1].split("\nENVIRONMENT")[0]
    told = set(re.search(r"several\s+commands\s+have:\s+([^.]*)\.", page).group(1).replace(",", " ").split())
    if told != shared:
        fault(f"pennon.1 has {sorted(told)} at the top, the program {sorted(shared)}")
    example = (SOURCE / "docs" / "CONFIG.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    if set(re.findall(r"^([a-z-]+):", example, re.M)) != top:
        fault(f"docs/CONFIG.md does not show the keys {sorted(top)}")
    n = len(shared)
    for section in sorted(sections):
        own = keys_of_program(section) - shared
        n += len(own)
        match = re.search(rf"^ {{7}}{section}\b(.*?)\n\n", page, re.M | re.S)
        if not match or set(match.group(1).replace(",", " ").split()) != own:
            fault(f"pennon.1 has {match and match.group(1)} in {section}, the program {sorted(own)}")
        shown = re.search(rf"^{section}:\n((?:  .*\n)+)", example, re.M)
        if not shown or set(re.findall(r"^  ([a-z-]+):", shown.group(1), re.M)) != own:
            fault(f"docs/CONFIG.md does not show the keys of {section}: {sorted(own)}")
    print(f"{n} configuration keys")


def check_library(text):
    header = (SOURCE / "include" / "pennon.h").read_text(encoding="utf-8")
    functions = set(re.findall(r"^PN_API [^;{]*?\b(pn_\w+)\(", header, re.M))
    told = set(re.findall(r"\b(pn_\w+)\(\)", text))
    if functions != told:
        fault(f"pennon.3 lacks {sorted(functions - told)}, and has {sorted(told - functions)} too much")
    codes = dict(re.findall(r"\b(PN_(?:OK|ERR_\w+)) = (\d+)", (SOURCE / "include" / "pennon_status.h").read_text(encoding="utf-8")))
    section = text.split("\nERRORS")[1].split("\nENVIRONMENT")[0]
    for name, number in codes.items():
        if not re.search(rf"\b{name} {number}\b", section):
            fault(f"pennon.3: {name} is {number}")
    print(f"{len(functions)} functions, {len(codes)} statuses")


def main():
    program, library = render("pennon.1"), render("pennon.3")
    check_options(program)
    check_environment(program)
    check_config(program)
    check_library(library)
    print("\n".join(faults) if faults else "the manual says what is")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
