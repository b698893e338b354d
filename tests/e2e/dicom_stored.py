"""What the clinic holds: dicom_stored.py ADDRESS FOLDER compares it with the files of that folder, data set by data set and
byte by byte, and says from whom it came."""
import os
import sys

import dicom_wire as wire
from clinic_client import first_people

address, folder = sys.argv[1:3]
admin, petra = first_people(address)
held = {}
for study in petra.get("/studies?limit=200")["items"]:
    for image in petra.get("/studies/" + study["id"])["images"]:
        uid, data = wire.split(petra.raw("GET", "/images/" + image["id"] + "/file.dcm")[2])
        held[uid] = data
same = 0
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), "rb") as file:
        uid, data = wire.split(file.read())
    assert uid in held, f"{name}: was acknowledged and is not there"
    data += bytes(len(data) % 2) # a deflated data set of odd length gets a zero on the wire (PS3.5 A.5); storescp drops it
    assert held[uid] == data, f"{name}: {len(held[uid])} bytes are held, {len(data)} were sent"
    same += 1
events = [event for event in admin.get("/audit?limit=200")["items"] if event["action"] == "image.store"]
titles = {(event["detail"] or {}).get("from_ae_title") for event in events}
print(f"{same} the same, from {' '.join(sorted(map(str, titles)))}")
