# Sourced: a registry with TLS, a certificate authority of its own and a login, which has team/base:1.
# It sets REGISTRY and PASSWORD and writes company-ca.crt.
PASSWORD=Pa55-canary-word
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export REGISTRY=localhost:$port
folder=$(mktemp -d)
(
    cd "$folder" || exit
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Company CA" \
        -keyout ca.key -out ca.crt
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
    printf 'subjectAltName = DNS:localhost\n' > names
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
        -extfile names -out server.crt
) > "$folder/log" 2>&1
cp "$folder/ca.crt" company-ca.crt
mkdir "$folder/trusted"
cp "$folder/ca.crt" "$folder/trusted"
# What htpasswd -nbB makes of that password.
echo 'tester:$2b$04$92//RM84K4/fgk5lWC6uLO9DfCK/BokXmZeTytXiy083suagYMLZS' > "$folder/htpasswd"
cat > "$folder/config.yml" << YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "$folder/data"}}
http: {addr: "$REGISTRY", tls: {certificate: "$folder/server.crt", key: "$folder/server.key"}}
auth: {htpasswd: {realm: test, path: "$folder/htpasswd"}}
YAML
"$(command -v docker-registry || command -v registry)" serve "$folder/config.yml" \
    > "$folder/registry.log" 2>&1 &
registry=$!
trap 'kill $registry; rm -rf "$folder"' EXIT
for _ in $(seq 600); do
    skopeo copy --quiet --dest-creds "tester:$PASSWORD" --dest-cert-dir "$folder/trusted" \
        "oci:$LAYOUTS/alpine-3" "docker://$REGISTRY/team/base:1" 2> "$folder/copied" && break
    sleep 0.1
done
[ ! -s "$folder/copied" ] || cat "$folder/copied" "$folder/registry.log"
