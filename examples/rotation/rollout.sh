#!/bin/sh
# Whatever reads its environment once has to be started anew to get a new secret. A process below `agent run`
# that watches its files, or takes HUP, needs no such thing.
exec systemctl reload-or-restart acme-api.service
