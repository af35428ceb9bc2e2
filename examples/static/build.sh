# Builds the site: copies public/ and writes the release into the page.
set -eu
release=$(cat RELEASE)
rm -rf dist
cp -R public dist
sed "s/@RELEASE@/$release/g" public/index.html >dist/index.html
