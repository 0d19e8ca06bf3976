// Reads a secret with Azure's SDK for .NET: `dotnet run VAULT-URL SECRET`, as a service principal by the client secret in the
// environment, then by managed identity. Prints the first line of the value for each.
using System;
using Azure.Core;
using Azure.Identity;
using Azure.Security.KeyVault.Secrets;

public static class ReadSecret
{
    public static void Main(string[] args)
    {
        // Without instance discovery, the SDK does not ask login.microsoftonline.com about the emulator.
        var options = new ClientSecretCredentialOptions { DisableInstanceDiscovery = true };
        var principal = new ClientSecretCredential(
            Environment.GetEnvironmentVariable("AZURE_TENANT_ID"),
            Environment.GetEnvironmentVariable("AZURE_CLIENT_ID"),
            Environment.GetEnvironmentVariable("AZURE_CLIENT_SECRET"),
            options);
        var managed = new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned);
        foreach (var credential in new TokenCredential[] { principal, managed })
        {
            var client = new SecretClient(new Uri(args[0]), credential);
            KeyVaultSecret secret = client.GetSecret(args[1]);
            Console.WriteLine(secret.Value.Split('\n')[0]);
        }
    }
}
