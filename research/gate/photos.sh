#!/bin/sh
# Fetches photographs, screens and charts of Debian packages into photos/ here (nothing is installed): some teach the gate
# what a photograph or a page is, others measure whether it knows (list.sh decides by package). Their licences (CC BY-SA, CC0, public domain, GPL; see
# each package's copyright file) allow this; the pictures are never committed.
set -eu
mkdir -p photos
cd photos
for package in tuxpaint-stamps-default lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers mate-backgrounds \
    plasma-workspace-wallpapers python3-skimage extremetuxracer-data opencv-doc gimp-help-en python-skimage-doc; do
    [ -d "$package" ] && continue
    apt-get download "$package"
    dpkg -x "$package"_*.deb "$package"
    rm "$package"_*.deb
done
