"""Fills a new domain in one process: a tool that is started for each user takes a second for each.

Arguments: configuration file, database, password of the service account, number of users.
"""

import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

config, database, password, count = sys.argv[1:]
settings = LoadParm()
settings.load(config)
directory = SamDB(url=database, session_info=system_session(), lp=settings)
domain = directory.domain_dn()
directory.transaction_start()
directory.newuser("rosterd", password)
directory.add({"dn": f"OU=People,{domain}", "objectClass": "organizationalUnit"})
members = []
for number in range(int(count)):
    name = f"u{number:05d}"
    dn = f"CN={name},OU=People,{domain}"
    members.append(dn)
    directory.add(
        {
            "dn": dn,
            "objectClass": "user",
            "sAMAccountName": name,
            "givenName": f"Given {number}",
            "sn": f"Family {number}",
            "mail": f"{name}@example.edu",
            # normal account without a password; every 50th is disabled
            "userAccountControl": "546" if number % 50 == 0 else "544",
        }
    )
directory.add(
    {"dn": f"CN=everybody,OU=People,{domain}", "objectClass": "group", "sAMAccountName": "everybody", "member": members}
)
directory.transaction_commit()
