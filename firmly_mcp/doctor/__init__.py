"""What is wrong on this machine, and what to do. It looks, and changes nothing but one probe in the keyring."""
