"""JavaMail, which many Java programs and Android's mail programs are built on: JavaMail.java does the work."""
import os

from probe import *

JARS = "/usr/share/java/javax.mail.jar", "/usr/share/java/javax.activation.jar"
need("javac", "java", "keytool", *JARS)
path = ":".join((*JARS, "."))
run("keytool", "-importcert", "-noprompt", "-alias", "rig", "-file", CA, "-keystore", "trust.p12", "-storepass", "changeit",
    "-storetype", "PKCS12")
run("javac", "-encoding", "UTF-8", "-cp", path, "-d", ".", os.path.join(E["CLIENTS"], "JavaMail.java"))
output = run("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djavax.net.ssl.trustStore=trust.p12",
             "-Djavax.net.ssl.trustStorePassword=changeit", "-cp", path, "JavaMail", env={"TEST_HOST": HOST})
print(output)
done(output.strip().splitlines()[-1])
