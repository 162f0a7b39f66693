#!/bin/bash

# A model of the whole, in whole/, and a real nginx take the same random steps,
# with one worker and with two, with places, bans and requests in line; and
# what is admitted of requests that come at once is the quota.  A part of it:
# t/system/whole/README.md.

. t/tools/load.sh

library=$(dpkg -L libfaketime 2> /dev/null | grep -m 1 '/libfaketime\.so\.')
if [ -z "$library" ]; then
    echo '1..0 # SKIP libfaketime is not installed'
    exit
fi

load_dir whole
python3 -B t/system/whole/run.py --nginx "$NGINX_BINARY" --module "$MODULE" \
    --faketime "$library" --dir "$dir" --seeds "$(short_or_long 11-22 11-70)" \
    --steps "$(short_or_long 120 1500)" --bursts "$(short_or_long 2 30)"
