// Reads a secret with Azure's SDK for Java: `java ReadSecret VAULT-URL SECRET`, as a service principal by the client secret
// in the environment, then by managed identity. Prints the first line of the value for each.
import com.azure.core.credential.TokenCredential;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.azure.security.keyvault.secrets.SecretClientBuilder;

public class ReadSecret {
    public static void main(String[] args) {
        TokenCredential principal = new ClientSecretCredentialBuilder()
            .tenantId(System.getenv("AZURE_TENANT_ID"))
            .clientId(System.getenv("AZURE_CLIENT_ID"))
            .clientSecret(System.getenv("AZURE_CLIENT_SECRET"))
            // The SDK then does not ask login.microsoftonline.com about the emulator.
            .disableInstanceDiscovery()
            .build();
        for (TokenCredential credential : new TokenCredential[] {principal, new ManagedIdentityCredentialBuilder().build()}) {
            var client = new SecretClientBuilder().vaultUrl(args[0]).credential(credential).buildClient();
            System.out.println(client.getSecret(args[1]).getValue().split("\n")[0]);
        }
        // The SDK leaves threads behind.
        System.exit(0);
    }
}
