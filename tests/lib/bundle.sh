#!/usr/bin/env bash
# What `make bundle` calls: agent and every library that it links or opens, with the loader that goes with
# them, in one folder and as an archive.
#
#   bundle.sh AGENT PREFIX OPENED... FOLDER ARCHIVE
#
# AGENT was linked for the loader and the libraries in PREFIX/lib: the folder works there and nowhere else. Names
# are those by which libraries are looked for; the bytes are those of this machine's packages, whose
# licences lie beside them. Two runs on one machine make the same archive.
set -euo pipefail

agent=$1 prefix=$2 folder=${*: -2:1} archive=${*: -1}
opened=("${@:3:$#-4}")
root=$folder$prefix

# The file that the loader would open for a name.
file_of() { # NAME
    ldconfig -p | awk -v name="$1" '$1 == name && !found {found = $NF} END {print found}'
}

# A library and all that it needs, one path a line.
closure() { # FILE
    printf '%s\n' "$1"
    ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// {print $3}'
}

licence() { # FILE
    local package
    package=$(dpkg-query -S "$(readlink -f "$1")" 2>/dev/null || dpkg-query -S "$1" 2>/dev/null) || return 0
    package=${package%%:*}
    [[ -e $root/licences/$package ]] || cp -L "/usr/share/doc/$package/copyright" "$root/licences/$package"
}

rm -rf "$folder"
mkdir -p "$root/lib" "$root/licences" "$(dirname "$archive")"
install -m 0755 "$agent" "$root/agent"
install -m 0644 LICENSE "$root/licences/agent"
{
    ldd "$agent" | awk '$2 == "=>" && $3 ~ /^\// {print $3}'
    for name in "${opened[@]}"; do
        file=$(file_of "$name")
        [[ -n $file ]] || { echo "bundle: there is no library '$name' here" >&2; exit 1; }
        closure "$file"
    done
} | sort -u | while read -r file; do
    # By its soname, as others ask for it: links of a development package have other names.
    soname=$(objdump -p "$file" | awk '$1 == "SONAME" {print $2}')
    install -m 0644 "$file" "$root/lib/${soname:-$(basename "$file")}"
    licence "$file"
done
# Last: some libraries name it among what they need, and it has to be executable.
loader=$(readelf -l /bin/sh | sed -n 's/.*interpreter: \(.*\)\].*/\1/p')
install -m 0755 "$loader" "$root/lib/$(basename "$loader")"
licence "$loader"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$folder" -cf - . | gzip -n -9 >"$archive"
echo "$archive"
