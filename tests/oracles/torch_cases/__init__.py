"""What each oracle file holds, as torch calls; this package needs torch, its readers do not."""
