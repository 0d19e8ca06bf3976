# Reads a secret with Azure's SDK for Python: `python3 read_secret.py VAULT-URL SECRET`, as a service principal by the
# client secret in the environment, then by managed identity. Prints the first line of the value for each.
import os
import sys

from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

tenant, client, secret = (os.environ[f"AZURE_{name}"] for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"))
for credential in (
    # Without instance discovery, the SDK does not ask login.microsoftonline.com about the emulator.
    ClientSecretCredential(tenant, client, secret, disable_instance_discovery=True),
    ManagedIdentityCredential(),
):
    print(SecretClient(sys.argv[1], credential).get_secret(sys.argv[2]).value.split("\n")[0])
