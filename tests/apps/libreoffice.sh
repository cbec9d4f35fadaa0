#!/bin/bash
# LibreOffice converts a text to .odt, to .docx and to PDF inside the pod. Usage: libreoffice.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
cd "$dir"
seq 500 | sed 's/^/A line of text, number /' >text.txt
office() { HOME=$scratch timeout 300 soffice "-env:UserInstallation=file://$scratch/profile" --headless --convert-to "$@" </dev/null; }
office odt text.txt
office docx text.odt
office pdf text.docx
head -c 4 text.pdf | grep -q %PDF
office txt:Text --outdir back text.docx
diff <(tr -d '\r\357\273\277' <back/text.txt) text.txt
locks=$(find . -name '.~lock*')
[ -z "$locks" ] || { echo "locks left behind: $locks"; exit 1; }
